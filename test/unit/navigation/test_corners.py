"""What the robot would sweep and has not seen."""

import math

import numpy as np
import pytest

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.corners import glances_rad
from vlm_ros.navigation.eyes import EyesConfig
from vlm_ros.navigation.memory import Memory

ORIGIN = Pose(0.0, 0.0, 0.0)
CORNER_M = (0.2, 0.2)


def memory(*poses, forward_m=0.14):
    """What a robot remembers that has found the way clear from ``poses``."""
    known = Memory(EyesConfig(camera_forward_m=forward_m), ORIGIN, 4.0)
    for pose in poses:
        known.ground.learn(PathAhead.CLEAR, pose, 1.0)
        known.looks.add(pose, 0.0)
    return known


def turned(degrees, x_m=0.0):
    return Pose(x_m, 0.0, math.radians(degrees))


def glances_deg(known, pose=ORIGIN):
    return [round(math.degrees(turn_rad)) for turn_rad in glances_rad(known, pose, 0.0)]


def test_robot_that_has_seen_nothing_looks_to_both_sides_alike():
    left, right = glances_deg(memory())
    assert left == -right
    assert 20 < left < 45


def test_robot_that_came_straight_up_has_seen_its_corners():
    way = [turned(0, x_m) for x_m in (-0.5, -0.4, -0.3, -0.2, -0.1, 0.0)]
    assert glances_deg(memory(*way)) == []
    assert len(glances_deg(memory(*way), turned(180))) == 2


@pytest.mark.parametrize(("turns", "sides"), [(40, [1]), (-40, [-1])])
def test_robot_that_has_turned_looks_further_to_the_side_that_it_turned_to(turns, sides):
    known = memory(*(turned(degrees) for degrees in np.linspace(-turns, turns, 9)))
    assert [np.sign(glance) for glance in glances_deg(known, turned(turns))] == sides


@pytest.mark.parametrize("forward_m", [-0.1, 0.0, 0.14, 0.25])
def test_corner_is_in_the_picture_after_the_glance(forward_m):
    left_rad = next(glances_rad(memory(forward_m=forward_m), ORIGIN, 0.0))
    away_m, angle_rad = math.hypot(*CORNER_M), math.atan2(CORNER_M[1], CORNER_M[0]) - left_rad
    in_picture_rad = math.atan2(away_m * math.sin(angle_rad), away_m * math.cos(angle_rad) - forward_m)
    assert abs(in_picture_rad) < math.radians(35.0)


def test_robot_looks_once_whatever_comes_of_it():
    known = memory(turned(0))
    left, _ = glances_deg(known)
    known.looks.add(turned(left), 1.0)
    assert [glance < 0 for glance in glances_deg(known)] == [True]
