"""A robot in a simulated room, from the first picture to the last wheel turn: what happens, not what is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vlm_ros.evaluation.episode import EpisodeConfig, run_episode
from vlm_ros.evaluation.fake import FakeSource
from vlm_ros.evaluation.picture import picture_of_run
from vlm_ros.evaluation.running import Runs, run_scenes
from vlm_ros.evaluation.sources import BlindSource, OracleSource
from vlm_ros.navigation.navigator import Mode
from vlm_ros.navigation.policy import Outcome
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.layout import Layout
from vlm_ros.sim.truth import camera_distance_m

SEED = 100_900
OTHER_ROOM_SEED = 100_901


def run(source=None, seed=SEED, **facts):
    return run_episode(draw_scene(seed), source or OracleSource(), EpisodeConfig(**facts))


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({}, id="with odometry"),
        pytest.param({"odometry": False}, id="by dead reckoning"),
        pytest.param({"scan": True}, id="with a laser"),
        pytest.param({"answers_per_s": 20.0}, id="20 answers a second"),
        pytest.param({"answers_per_s": 2.0}, id="2 answers a second"),
    ],
)
def test_robot_finds_the_target_without_touching_anything(facts):
    result = run(**facts)
    assert result.outcome is Outcome.FOUND
    assert result.success
    assert result.collisions == 0
    thing = draw_scene(SEED).target_object
    assert camera_distance_m(thing, result.track[-1]) < 1.1
    assert result.spl > 0.3


def test_robot_finds_targets_when_an_answer_takes_three_seconds():
    # Half a metre a step: over a short way one answer more or less halves the SPL, so several ways count together.
    results = [run(seed=seed, answers_per_s=0.3, timeout_s=300.0) for seed in range(SEED, SEED + 4)]
    assert all(result.success and result.collisions == 0 for result in results)
    assert sum(result.spl for result in results) / len(results) > 0.5


def test_robot_finds_the_target_when_its_eyes_err():
    results = [run(FakeSource(seed), seed) for seed in range(SEED, SEED + 4)]
    assert sum(result.success for result in results) >= 3


def test_robot_that_sees_nothing_finds_nothing():
    result = run(BlindSource(), timeout_s=30.0)
    assert result.outcome is Outcome.NOT_FOUND
    assert not result.success
    assert result.collisions == 0


def test_explorer_covers_ground_without_touching_anything():
    result = run(mode=Mode.EXPLORE, timeout_s=60.0)
    assert result.outcome is None
    assert result.collisions == 0
    xs, ys = [pose.x_m for pose in result.track], [pose.y_m for pose in result.track]
    assert max(max(xs) - min(xs), max(ys) - min(ys)) > 1.0


def test_follower_stays_before_the_target():
    result = run(mode=Mode.FOLLOW, timeout_s=40.0)
    distance_m = camera_distance_m(draw_scene(SEED).target_object, result.track[-1])
    assert 0.3 < distance_m < 1.3
    assert result.collisions == 0


def runs(policy="oracle", scenes=1, mode=Mode.SEARCH, timeout_s=120.0, **facts):
    return Runs(policy, scenes, SEED, EpisodeConfig(mode=mode, timeout_s=timeout_s), **facts)


def test_follower_keeps_a_walking_target_in_sight():
    (result,) = run_scenes(runs(mode=Mode.FOLLOW, timeout_s=40.0))
    assert result.success and result.collisions == 0
    assert len({(round(x, 1), round(y, 1)) for x, y in result.target_track}) > 10
    assert 0.2 < result.figures["distance_m"] < 1.5


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({}, id="search"),
        pytest.param({"target_absent": True}, id="a search for what is not there"),
        pytest.param({"mode": Mode.FOLLOW}, id="follow"),
        pytest.param({"mode": Mode.EXPLORE}, id="explore"),
    ],
)
def test_robot_without_eyes_fails_at(facts):
    (result,) = run_scenes(runs("blind", timeout_s=40.0, **facts))
    assert not result.success
    assert result.collisions == 0


def test_target_in_the_other_room_is_reached_through_the_doorway():
    (result,) = run_scenes(replace(runs(timeout_s=240.0, layout=Layout.TWO_ROOMS), seed=OTHER_ROOM_SEED))
    assert result.success
    assert result.figures["shortest_m"] > 2.0


@pytest.mark.parametrize("mode", [Mode.SEARCH, Mode.FOLLOW, Mode.EXPLORE])
def test_runs_repeat_exactly_however_many_processes_share_them(mode):
    two = runs(scenes=2, mode=mode, timeout_s=20.0)
    assert list(run_scenes(two, processes=1)) == list(run_scenes(two, processes=2))


def test_picture_shows_the_way_that_was_driven():
    result = run()
    image = picture_of_run(draw_scene(SEED), result)
    black = sum(count for count, color in image.getcolors(1 << 20) if color == (20, 20, 26))
    assert black > 60
