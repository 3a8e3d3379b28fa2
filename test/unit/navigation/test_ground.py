"""Where something may stand in the way."""

import math

import numpy as np
import pytest

from vlm_ros.core.motion import Pose, Scan
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.eyes import Eyes, EyesConfig
from vlm_ros.navigation.ground import Ground

ORIGIN = Pose(0.0, 0.0, 0.0)


def blocked(ground, degrees=0.0, length_m=0.8, pose=ORIGIN):
    return float(ground.blocked(pose, np.array([math.radians(degrees)]), length_m)[0])


def test_unknown_ground_is_taken_for_free():
    assert blocked(Ground(ORIGIN, Eyes(EyesConfig()))) < 0.2


@pytest.mark.parametrize(("path", "low", "high"), [("blocked", 0.3, 0.9), ("clear", 0.0, 0.1), ("unknown", 0.0, 0.2)])
def test_one_answer_changes_the_corridor_it_speaks_of(path, low, high):
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    before = blocked(ground, 90)
    ground.learn(PathAhead(path), ORIGIN, 1.0)
    assert low <= blocked(ground) <= high
    assert blocked(ground, 90) == pytest.approx(before, abs=0.05)


def test_certainty_grows_when_the_answer_is_repeated():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
    once = blocked(ground)
    for _ in range(3):
        ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
    assert blocked(ground) > max(once, 0.75)


def test_obstacle_sharpens_when_neighbouring_directions_are_clear():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    for _ in range(2):
        ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
        ground.learn(PathAhead.CLEAR, Pose(0.0, 0.0, math.radians(30)), 1.0)
    assert blocked(ground) > 1.5 * blocked(ground, 30)


def test_obstacle_is_remembered_when_the_robot_has_moved():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    for _ in range(3):
        ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
    assert blocked(ground, -90, pose=Pose(0.5, 0.7, 0.0)) > 0.4


def test_forgetting_leads_back_to_free():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
    before = blocked(ground)
    ground.forget(30.0)
    assert blocked(ground) < before


def test_laser_marks_what_it_meets_and_clears_what_it_passes():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    for _ in range(3):
        ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
    angles = -math.pi + math.radians(2) * np.arange(180)
    ranges = np.where(np.abs(angles - 1.0) < 0.2, 0.6, 4.0).astype(np.float32)
    ground.learn_scan(Scan(ranges, -math.pi, math.radians(2), 0.05, 8.0, 0.0), ORIGIN)
    assert blocked(ground) < 0.1
    assert blocked(ground, math.degrees(1.0)) > 0.9


def test_outside_the_map_nothing_is_known():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    ground.learn(PathAhead.BLOCKED, Pose(50.0, 50.0, 0.0), 1.0)
    assert blocked(ground, pose=Pose(50.0, 50.0, 0.0)) < 0.9


@pytest.mark.parametrize("side", [1, -1])
def test_obstacle_beside_the_robot_is_remembered_when_the_picture_cannot_show_it(side):
    ground, beside_rad = Ground(ORIGIN, Eyes(EyesConfig())), side * math.radians(30)
    ground.learn_scan(Scan(np.array([0.4], np.float32), beside_rad, 0.01, 0.05, 8.0, 0.0), ORIGIN)
    for _ in range(20):
        ground.learn(PathAhead.CLEAR, ORIGIN, 1.0)
    assert blocked(ground, math.degrees(beside_rad), length_m=0.5) > 0.9


@pytest.mark.parametrize(
    ("looked_deg", "unseen"),
    [
        pytest.param((), "somewhere", id="not looked at all"),
        pytest.param((0,), "somewhere", id="a picture does not show what is beside the front"),
        pytest.param(range(-60, 61, 10), None, id="looked all around"),
        pytest.param(range(-60, 1, 10), "left", id="looked to the right"),
        pytest.param(range(0, 61, 10), "right", id="looked to the left"),
    ],
)
def test_floor_beside_the_front_counts_as_seen_where_the_robot_has_turned_to_it(looked_deg, unseen):
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    for degrees in looked_deg:
        ground.learn(PathAhead.CLEAR, Pose(0.0, 0.0, math.radians(degrees)), 1.0)
    direction_rad = ground.unseen_rad(ORIGIN)
    assert (direction_rad is None) == (unseen is None)
    if unseen in ("left", "right"):
        assert math.radians(15) < abs(direction_rad) < math.radians(60)
        assert (direction_rad > 0) == (unseen == "left")


def test_floor_that_the_robot_saw_from_further_back_counts_as_seen():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    for x_m in np.arange(-0.6, 0.01, 0.05):
        ground.learn(PathAhead.CLEAR, Pose(float(x_m), 0.0, 0.0), 1.0)
    assert ground.unseen_rad(ORIGIN) is None


def test_laser_shows_the_floor_beside_the_front():
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    ranges = np.full(180, 3.0, dtype=np.float32)
    ground.learn_scan(Scan(ranges, -math.pi, math.radians(2), 0.05, 8.0, 0.0), ORIGIN)
    assert ground.unseen_rad(ORIGIN) is None
