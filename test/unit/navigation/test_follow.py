"""Following a target that moves: what the robot does when it goes out of sight."""

import math
from itertools import accumulate

import pytest
from percepts import TARGET, config, nothing, seen

from vlm_ros.core.clock import ManualClock
from vlm_ros.navigation.navigator import Mode, Navigator

TICK_S = 0.05


def follow(*scenes):
    """The outputs of a robot that is shown each of ``scenes`` (percept at a time, seconds) in turn."""
    robot, clock, outputs = Navigator(config()), ManualClock(), []
    robot.activate()
    robot.begin(Mode.FOLLOW, TARGET)
    for percept, seconds in scenes:
        for number in range(round(seconds / TICK_S)):
            if number % 4 == 0:
                robot.on_percept(percept(clock.now_s), clock.now_s)
            outputs.append(robot.step(clock.now_s))
            clock.advance(TICK_S)
    return outputs


def gone(at_s):
    return nothing(at_s=at_s)


def headings_deg(outputs):
    """Where the robot faces after each output, in a world that does as it is told."""
    return [math.degrees(turned) for turned in accumulate(TICK_S * output.velocity.angular_radps for output in outputs)]


def blocked(range):
    return lambda at_s: seen("center", range, path="blocked", at_s=at_s)


@pytest.mark.parametrize(("bearing", "sign"), [("left", 1), ("right", -1)])
def test_robot_turns_to_the_side_where_the_target_left_the_picture(bearing, sign):
    outputs = follow((lambda at: seen(bearing, "near", at_s=at), 0.4), (gone, 1.0))
    assert outputs[-1].state == "following"
    assert 40.0 < sign * headings_deg(outputs)[-1] < 80.0


def test_robot_goes_to_where_the_target_vanished_when_it_was_far_and_is_on_neither_side():
    outputs = follow((lambda at: seen("center", "far", at_s=at), 0.6), (gone, 5.0))
    assert outputs[-1].state == "following"
    assert outputs[-1].velocity.linear_mps > 0.1


def test_target_stays_in_the_picture_when_something_is_in_the_way():
    robot, clock, yaw_deg = Navigator(config()), ManualClock(), 0.0
    robot.activate()
    robot.begin(Mode.FOLLOW, TARGET)
    for number in range(200):
        if number % 4 == 0:
            bearing = "center" if abs(yaw_deg) < 13.0 else "left" if yaw_deg < 0.0 else "right"
            robot.on_percept(seen(bearing, "far", path="blocked", at_s=clock.now_s), clock.now_s)
        yaw_deg += math.degrees(TICK_S * robot.step(clock.now_s).velocity.angular_radps)
        clock.advance(TICK_S)
        assert abs(yaw_deg) < 35.0


@pytest.mark.parametrize("range", ["near", "far"])
def test_robot_looks_on_both_sides_of_where_the_target_vanished_before_it_turns_away(range):
    turned = headings_deg(follow((blocked(range), 1.0), (gone, 4.5)))
    assert max(turned) > 20.0
    assert min(turned) < -15.0
    assert max(map(abs, turned)) < 60.0


def test_robot_waits_a_little_for_a_target_that_vanished_before_it():
    turned = headings_deg(follow((blocked("near"), 1.0), (gone, 1.5)))
    assert max(map(abs, turned)) < 5.0


def test_robot_looks_all_around_when_a_target_that_was_close_is_on_neither_side():
    turned = headings_deg(follow((blocked("near"), 1.0), (gone, 11.0)))
    assert max(turned) - min(turned) > 290.0


def test_robot_stands_and_watches_when_the_target_is_near():
    last = follow((lambda at: seen("center", "near", at_s=at), 2.0))[-1]
    assert last.state == "watching"
    assert last.velocity.linear_mps == 0.0


def test_robot_looks_for_the_target_when_it_has_been_gone_for_long():
    assert follow((lambda at: seen("center", "near", at_s=at), 1.0), (gone, 14.0))[-1].state in ("looking", "moving_on")
