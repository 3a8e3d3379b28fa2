"""What is true of a view, and how it is told."""

import math

import numpy as np
import pytest
from sim_rooms import ORIGIN, room, thing

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Bearing, PathAhead, Range
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.caption import caption_from_truth
from vlm_ros.sim.scene import Wall
from vlm_ros.sim.truth import path_ahead, percept_from_truth, truth_from_view
from vlm_ros.sim.world import World


def truth_of(scene):
    world = World(scene)
    with Camera(world) as camera:
        return truth_from_view(scene, world.pose, camera.render_objects())


@pytest.mark.parametrize(("y_m", "bearing"), [(0.5, Bearing.LEFT), (0.0, Bearing.CENTER), (-0.5, Bearing.RIGHT)])
def test_ball_is_seen_on_the_side_where_it_lies(y_m, bearing):
    (ball,) = truth_of(room(thing("red ball", 1.3, y_m))).objects
    assert ball.visible and ball.bearing is bearing


@pytest.mark.parametrize(("x_m", "range_"), [(0.14 + 0.79 + 0.15, Range.NEAR), (0.14 + 0.81 + 0.15, Range.FAR)])
def test_range_is_measured_from_the_camera_to_the_surface(x_m, range_):
    (ball,) = truth_of(room(thing("red ball", x_m, 0.0))).objects
    assert ball.range is range_
    assert ball.distance_m == pytest.approx(x_m - 0.14 - 0.15)


def test_ball_is_not_visible_when_it_lies_behind_the_robot():
    truth = truth_of(room(thing("red ball", -1.0, 0.0)))
    assert not truth.objects[0].visible and truth.objects[0].bearing is None
    percept = percept_from_truth(truth, "red ball", 5)
    assert not percept.visible and percept.stamp_ns == 5 and percept.path is PathAhead.CLEAR


@pytest.mark.parametrize(("pixels", "visible"), [(24, False), (25, True)])
def test_object_counts_as_visible_from_25_pixels_in_12288(pixels, visible):
    objects = np.full((96, 128), -1, np.int8)
    objects.flat[:pixels] = 0
    (ball,) = truth_from_view(room(thing("red ball", 1.0, 0.0)), ORIGIN, objects).objects
    assert ball.visible is visible


@pytest.mark.parametrize(
    ("scene", "path"),
    [
        (room(), PathAhead.CLEAR),
        (room(thing("red ball", 0.9, 0.0)), PathAhead.BLOCKED),
        (room(thing("red ball", 0.96, 0.0)), PathAhead.CLEAR),
        (room(thing("red ball", 0.6, 0.38)), PathAhead.BLOCKED),
        (room(thing("red ball", 0.6, 0.43)), PathAhead.CLEAR),
        (room(thing("red ball", -0.5, 0.0)), PathAhead.CLEAR),
        (room(walls=[Wall(0.7, -1.0, 0.7, 1.0)]), PathAhead.BLOCKED),
        (room(walls=[Wall(0.0, 0.35, 2.0, 0.35)]), PathAhead.CLEAR),
    ],
)
def test_path_is_blocked_when_something_reaches_into_the_corridor(scene, path):
    assert path_ahead(scene, ORIGIN) is path


def test_corridor_turns_with_the_robot():
    scene = room(thing("red ball", 0.7, 0.0))
    assert path_ahead(scene, Pose(0.0, 0.0, math.pi / 2)) is PathAhead.CLEAR
    assert path_ahead(scene, Pose(0.7, -0.7, math.pi / 2)) is PathAhead.BLOCKED


def test_percept_says_where_the_target_is():
    truth = truth_of(room(thing("red ball", 0.8, 0.3), thing("blue box", 1.5, -0.4)))
    percept = percept_from_truth(truth, "blue box", 7)
    assert (percept.visible, percept.bearing, percept.range) == (True, Bearing.RIGHT, Range.FAR)
    assert (percept.target, percept.stamp_ns, percept.confidence) == ("blue box", 7, 1.0)
    assert not percept_from_truth(truth, "green cone", 7).visible


def test_caption_names_the_largest_object_first():
    truth = truth_of(room(thing("orange ball", 1.6, 0.5), thing("blue box", 0.8, -0.3)))
    assert caption_from_truth(truth) == (
        "a blue box on the right, near. an orange ball on the left, far. the path is blocked."
    )


def test_caption_says_nothing_when_there_is_nothing():
    assert caption_from_truth(truth_of(room())) == "nothing. the path is clear."


def test_caption_names_four_objects_at_most():
    names = ("red ball", "blue ball", "green ball", "yellow ball", "purple ball")
    truth = truth_of(room(*(thing(name, 1.6, 0.4 * (i - 2), radius_m=0.12) for i, name in enumerate(names))))
    assert len(truth.visible) == 5
    assert caption_from_truth(truth).count("ball") == 4
