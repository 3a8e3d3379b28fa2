"""Following a target that moves: what the robot does when it goes out of sight."""

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


@pytest.mark.parametrize(("bearing", "sign"), [("left", 1), ("right", -1)])
def test_robot_turns_to_the_side_where_the_target_left_the_picture(bearing, sign):
    last = follow((lambda at: seen(bearing, "near", at_s=at), 0.4), (gone, 2.0))[-1]
    assert last.state == "following"
    assert sign * last.velocity.angular_radps > 0.5


def test_robot_goes_to_where_the_target_vanished_when_it_was_far():
    outputs = follow((lambda at: seen("center", "far", at_s=at), 0.6), (gone, 1.5))
    assert outputs[-1].state == "following"
    assert outputs[-1].velocity.linear_mps > 0.1


def test_robot_stands_and_watches_when_the_target_is_near():
    last = follow((lambda at: seen("center", "near", at_s=at), 2.0))[-1]
    assert last.state == "watching"
    assert last.velocity.linear_mps == 0.0


def test_robot_looks_for_the_target_when_it_has_been_gone_for_long():
    assert follow((lambda at: seen("center", "near", at_s=at), 1.0), (gone, 14.0))[-1].state in ("looking", "moving_on")
