"""From a direction to a velocity."""

import math

import pytest
from percepts import nothing, seen

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.steering import Steering, SteeringConfig, looked_ahead_m

ORIGIN = Pose(0.0, 0.0, 0.0)
HALF_FOV_RAD = math.radians(35)


def steering():
    return Steering(SteeringConfig(cruise_mps=0.3, turn_radps=0.8), HALF_FOV_RAD)


def senses(percept, pose=ORIGIN, seen_from=ORIGIN):
    return Senses(1.0, pose, percept, 0.1, seen_from, 0.1)


@pytest.mark.parametrize(
    ("percept", "pose", "free"),
    [
        pytest.param(nothing("clear"), ORIGIN, True, id="clear ahead"),
        pytest.param(nothing("blocked"), ORIGIN, False, id="blocked ahead"),
        pytest.param(nothing("unknown"), ORIGIN, False, id="nobody knows"),
        pytest.param(seen("center", "far", "unknown"), ORIGIN, True, id="the target is in plain sight"),
        pytest.param(nothing("clear"), Pose(0.0, 0.0, 0.5), False, id="turned away since"),
        pytest.param(nothing("clear"), Pose(0.6, 0.0, 0.0), False, id="driven too far since"),
        pytest.param(None, ORIGIN, False, id="no picture yet"),
    ],
)
def test_robot_drives_only_where_it_has_just_looked(percept, pose, free):
    assert (looked_ahead_m(senses(percept, pose)) > 0.0) == free
    speed = steering().drive(senses(percept, pose), Ground(ORIGIN), 0.0, 2.0).linear_mps
    assert (speed > 0.0) == free


@pytest.mark.parametrize(("degrees", "turns"), [(40, 1), (-40, -1)])
def test_robot_turns_on_the_spot_first_when_the_goal_is_aside(degrees, turns):
    velocity = steering().drive(senses(nothing()), Ground(ORIGIN), math.radians(degrees), 2.0)
    assert velocity.linear_mps == 0.0
    assert velocity.angular_radps * turns > 0.3


def test_robot_slows_down_when_it_arrives():
    far, close = (steering().drive(senses(nothing()), Ground(ORIGIN), 0.0, d).linear_mps for d in (2.0, 0.05))
    assert far == 0.3
    assert 0.0 < close < 0.15


def test_robot_goes_around_when_the_direct_way_is_blocked_and_keeps_its_side():
    ground, steer = Ground(ORIGIN), steering()
    for _ in range(3):
        ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
    first = steer.drive(senses(nothing("blocked")), ground, math.radians(2), 2.0).angular_radps
    second = steer.drive(senses(nothing("blocked")), ground, math.radians(-2), 2.0).angular_radps
    assert abs(first) > 0.3
    assert math.copysign(1, first) == math.copysign(1, second)


def test_robot_does_not_drive_into_what_it_remembers_when_one_answer_says_clear():
    ground = Ground(ORIGIN)
    for _ in range(4):
        ground.learn(PathAhead.BLOCKED, ORIGIN, 1.0)
        for degrees in range(-180, 180, 20):
            if abs(degrees) > 10:
                ground.learn(PathAhead.BLOCKED, Pose(0.0, 0.0, math.radians(degrees)), 1.0)
    assert steering().drive(senses(nothing("clear")), ground, 0.0, 2.0).linear_mps == 0.0


@pytest.mark.parametrize(("turned_deg", "waits"), [(0, False), (30, False), (60, True)])
def test_turning_waits_for_the_next_picture_when_it_is_far_past_the_last(turned_deg, waits):
    now = senses(nothing(), Pose(0.0, 0.0, math.radians(turned_deg)))
    assert (steering().turn(now, 1.0).angular_radps == 0.0) == waits
    assert steering().turn(now, -1.0).angular_radps < 0.0
