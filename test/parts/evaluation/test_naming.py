"""What a list of names is worth, in a room that is known."""

from dataclasses import replace

import pytest

from vlm_ros.core.percept import Bearing, Range
from vlm_ros.core.things import MOST_THINGS, ThingPlaced
from vlm_ros.evaluation.judges import naming_figures
from vlm_ros.evaluation.metrics import EpisodeResult
from vlm_ros.evaluation.picture import picture_of_run
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.truth import ObjectTruth, PathAhead, ViewTruth, things_from_truth

SCENE = draw_scene(127_000)


def said(count, off_m=0.0):
    """The first ``count`` objects of the room, each ``off_m`` from where it stands."""
    return tuple(ThingPlaced(thing.name, thing.x_m + off_m, thing.y_m, 0.9) for thing in SCENE.objects[:count])


GHOST = ThingPlaced("pink elephant", 0.0, 0.0, 0.9)


def test_everything_is_right_when_all_is_named_in_its_place():
    figures = naming_figures(SCENE, said(len(SCENE.objects)))
    assert figures == {"named": 1.0, "named_wrongly": 0.0, "place_error_m": 0.0}


def test_share_error_and_false_names_are_told_apart():
    figures = naming_figures(SCENE, (*said(2, off_m=0.25), GHOST))
    assert figures["named"] == pytest.approx(2 / len(SCENE.objects))
    assert figures["named_wrongly"] == 1.0
    assert figures["place_error_m"] == pytest.approx(0.25)


@pytest.mark.parametrize(("names", "wrong"), [((), 0.0), ((GHOST,), 1.0)])
def test_there_is_no_distance_when_nothing_in_the_room_was_named(names, wrong):
    assert naming_figures(SCENE, names) == {"named": 0.0, "named_wrongly": wrong}


def test_the_picture_shows_names_at_their_places():
    run = EpisodeResult(
        127_000, "explore", "", None, True, {"named": 1.0}, (), 1.0, 180.0, True, 900, (SCENE.start,), said=said(1)
    )
    without = picture_of_run(SCENE, replace(run, said=()))
    assert picture_of_run(SCENE, run).tobytes() != without.tobytes()


def test_a_name_beyond_the_wall_does_not_cover_the_title():
    run = EpisodeResult(127_000, "explore", "", None, True, {}, (), 1.0, 180.0, True, 900, (SCENE.start,))
    titles = [
        picture_of_run(SCENE, replace(run, said=said)).crop((0, 0, 400, 55)).tobytes()
        for said in ((), (ThingPlaced(SCENE.objects[0].name, 0.0, SCENE.bounds_m[3] + 0.4, 0.9),))
    ]
    assert titles[0] == titles[1]


def test_the_largest_things_are_named_when_more_are_in_view_than_may_be():
    objects = [ObjectTruth("red", f"shape {'abcdefgh'[i]}", 100 * (i + 1), True, Bearing.LEFT, 2.0) for i in range(8)]
    seen = things_from_truth(ViewTruth(tuple(objects), PathAhead.CLEAR), 7)
    assert [thing.name for thing in seen.things] == [f"red shape {letter}" for letter in "hgfedc"[:MOST_THINGS]]
    assert {(thing.bearing, thing.range) for thing in seen.things} == {(Bearing.LEFT, Range.FAR)}
    assert seen.stamp_ns == 7
