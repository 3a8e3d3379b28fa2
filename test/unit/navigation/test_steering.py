"""From a direction to a velocity."""

import math
from dataclasses import replace

import pytest
from percepts import nothing, seen

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.eyes import EyesConfig
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.steering import Steering, SteeringConfig, looked_ahead_m

ORIGIN = Pose(0.0, 0.0, 0.0)
HALF_FOV_RAD = math.radians(35)


def steering():
    return Steering(SteeringConfig(cruise_mps=0.3, turn_radps=0.8), HALF_FOV_RAD)


def memory(*blocked_deg, times=4):
    """What a robot remembers that has found the way blocked in these directions."""
    known = Memory(EyesConfig(), ORIGIN, 4.0)
    for degrees in blocked_deg * times:
        known.ground.learn(PathAhead.BLOCKED, Pose(0.0, 0.0, math.radians(degrees)), 1.0)
        known.looks.add(Pose(0.0, 0.0, math.radians(degrees)), 0.9)
    return known


def place(degrees, distance_m=2.0):
    return Place.seen_at(ORIGIN, math.radians(degrees), distance_m)


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
    speed = steering().drive(senses(percept, pose), memory(), Place.seen_at(pose, 0.0, 2.0)).linear_mps
    assert (speed > 0.0) == free


@pytest.mark.parametrize(("degrees", "turns"), [(40, 1), (-40, -1)])
def test_robot_turns_on_the_spot_first_when_the_goal_is_aside(degrees, turns):
    velocity = steering().drive(senses(nothing()), memory(), place(degrees))
    assert velocity.linear_mps == 0.0
    assert velocity.angular_radps * turns > 0.3


def test_robot_slows_down_before_it_stops():
    far = steering().drive(senses(nothing()), memory(), place(0), stop_before_m=0.5).linear_mps
    close = steering().drive(senses(nothing(), Pose(0.38, 0.0, 0.0)), memory(), place(0), 0.5).linear_mps
    assert far == 0.3
    assert 0.0 < close < far


def test_robot_goes_around_when_the_direct_way_is_blocked_and_does_not_waver():
    known, steer = memory(0), steering()
    turns = [steer.drive(senses(nothing("blocked")), known, place(5)).angular_radps for _ in range(5)]
    assert abs(turns[0]) > 0.3
    assert turns == turns[:1] * 5


def test_robot_does_not_drive_into_what_it_remembers_when_one_answer_says_clear():
    known = memory(*range(-180, 180, 15))
    assert steering().drive(senses(nothing("clear")), known, place(0)).linear_mps == 0.0


@pytest.mark.parametrize(
    ("looked_deg", "drives", "turns"),
    [
        pytest.param(range(-60, 61, 10), True, 0, id="looked to both sides"),
        pytest.param(range(-60, 1, 10), False, 1, id="never looked to the left"),
        pytest.param(range(0, 61, 10), False, -1, id="never looked to the right"),
    ],
)
def test_wary_robot_looks_first_at_floor_beside_it_that_no_picture_has_shown(looked_deg, drives, turns):
    known = memory()
    for degrees in looked_deg:
        known.ground.learn(PathAhead.CLEAR, Pose(0.0, 0.0, math.radians(degrees)), 1.0)
    assert steering().drive(senses(nothing()), known, place(0)).linear_mps == 0.3
    velocity = steering().drive_warily(senses(nothing()), known, place(0))
    assert (velocity.linear_mps > 0.0) == drives
    assert velocity.angular_radps * turns > 0.1 or not turns


@pytest.mark.parametrize(("side", "looked_deg"), [(1, range(0, 81, 10)), (-1, range(-80, 1, 10))])
def test_wary_robot_looks_at_the_unseen_side_of_its_course_before_it_turns_to_it(side, looked_deg):
    known = memory()
    for degrees in looked_deg:
        known.ground.learn(PathAhead.CLEAR, Pose(0.0, 0.0, math.radians(degrees)), 1.0)
    assert side * steering().drive(senses(nothing()), known, place(side * 15)).angular_radps > 0.1
    assert side * steering().drive_warily(senses(nothing()), known, place(side * 15)).angular_radps < -0.1


@pytest.mark.parametrize(("turned_deg", "waits"), [(0, False), (30, False), (60, True)])
def test_turning_waits_for_the_next_answer_when_it_is_far_past_the_last(turned_deg, waits):
    steer, heard = steering(), senses(nothing())
    assert steer.turn(heard, 1.0).angular_radps > 0.0
    now = replace(heard, pose=Pose(0.0, 0.0, math.radians(turned_deg)))
    assert (steer.turn(now, 1.0).angular_radps == 0.0) == waits
    assert steer.turn(now, -1.0).angular_radps < 0.0


@pytest.mark.parametrize(("answer_every_s", "turns"), [(0.05, True), (4.0, False)])
def test_course_stays_where_the_picture_was_taken_when_another_answer_would_take_long(answer_every_s, turns):
    now = replace(senses(nothing()), answer_every_s=answer_every_s)
    assert (abs(steering().drive(now, memory(), place(15)).angular_radps) > 0.1) == turns


def test_course_changes_with_answers_and_not_between_them():
    steer, known, now = steering(), memory(), senses(nothing())
    assert steer.drive(now, known, place(40)).angular_radps > 0.0
    assert steer.drive(now, known, place(-40)).angular_radps > 0.0
    assert steer.drive(senses(nothing()), known, place(-40)).angular_radps < 0.0


@pytest.mark.parametrize("side", [1, -1])
def test_robot_turns_no_further_past_its_goal_than_it_may_when_the_way_is_blocked(side):
    facing = Pose(0.0, 0.0, side * 0.3)
    for swerve_rad, further in ((math.pi, True), (0.3, False)):
        known = memory(0, side * 15, side * -30, side * -60, times=8)
        velocity = steering().drive(senses(nothing("blocked"), facing), known, place(0), 0.0, swerve_rad)
        assert (side * velocity.angular_radps > 0.05) == further
