"""The navigator as a process: it drives on fresh percepts, and stands without."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from nav_msgs.msg import Odometry
from rcl_interfaces.msg import Log
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from robot import LIMITS, STALE_S, STOP_S, Robot, moves
from robot_bench import Bench
from std_msgs.msg import String

from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.stamps import ns_from_stamp, stamp_from_ns
from vlm_ros_interfaces.action import SearchTarget
from vlm_ros_interfaces.msg import Inventory, TargetPercept, ThingsSeen
from vlm_ros_interfaces.srv import SetMode, SetTarget


@pytest.fixture(scope="module")
def shared_robot() -> Iterator[Robot]:
    with Bench() as bench:
        yield Robot(bench)


@pytest.fixture
def robot(shared_robot: Robot) -> Robot:
    """A navigator that works and is idle; nothing is seen, and a red ball would be far ahead."""
    shared_robot.recover()
    return shared_robot


def test_it_publishes_zeros_at_20_hz_when_idle(robot: Robot) -> None:
    start_s = time.monotonic()
    time.sleep(1.0)
    commands = robot.commands.since(start_s)
    assert 15 <= len(commands) <= 25
    assert not any(map(moves, commands))
    assert robot.states[-1].mode == "idle"


def test_it_drives_and_stands_within_a_quarter_second_of_staleness_when_percepts_stop(robot: Robot) -> None:
    percepts = robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    percepts.cancel()
    assert robot.standstill_after(time.monotonic()) < STALE_S + STOP_S
    assert "no answer" in robot.states[-1].gate_reason or "old" in robot.states[-1].gate_reason
    robot.see()
    robot.bench.wait_for(robot.drives)


def test_it_stands_when_percepts_are_about_old_pictures(robot: Robot) -> None:
    robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    robot.lag_s = 2.0
    assert robot.standstill_after(time.monotonic()) < STALE_S + STOP_S
    assert "old" in robot.states[-1].gate_reason
    robot.lag_s = 0.0
    robot.bench.wait_for(robot.drives)


def test_it_stands_at_once_and_says_why_when_percepts_are_from_the_future(robot: Robot) -> None:
    log = robot.bench.listen(Log, "/rosout")
    robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    robot.lag_s = -5.0
    assert robot.standstill_after(time.monotonic()) < STOP_S
    robot.bench.wait_for(lambda: any("5 s ahead of this node's clock" in line.msg for line in log))
    robot.lag_s = 0.0
    robot.bench.wait_for(robot.drives)


def test_it_stands_at_once_when_percepts_are_unreadable(robot: Robot) -> None:
    robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    robot.seen.bearing = "upwards"
    assert robot.standstill_after(time.monotonic()) < STOP_S
    robot.seen.bearing = "center"
    robot.bench.wait_for(robot.drives)


def test_it_stands_and_recovers_when_deactivated_and_activated(robot: Robot) -> None:
    robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    start_s = time.monotonic()
    assert robot.bench.change("navigator_node", Transition.TRANSITION_DEACTIVATE)
    assert robot.standstill_after(start_s) < STOP_S
    assert not robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="explore")).accepted
    assert robot.bench.change("navigator_node", Transition.TRANSITION_ACTIVATE)
    robot.bench.wait_for(robot.drives)


def test_search_finds_when_the_target_comes_near(robot: Robot) -> None:
    robot.see()
    feedback: list[Any] = []
    goal = robot.bench.send_goal(SearchTarget, "search_target", SearchTarget.Goal(target="red ball"), feedback.append)
    assert goal.accepted
    robot.bench.wait_for(robot.drives)
    robot.seen.range = "near"
    result = robot.bench.result(goal.get_result_async()).result
    assert result.found, result.message
    assert any(message.feedback.percept.target == "red ball" for message in feedback)
    assert not moves(robot.commands[-1])


def test_search_is_idle_when_cancelled(robot: Robot) -> None:
    robot.see()
    goal = robot.bench.send_goal(SearchTarget, "search_target", SearchTarget.Goal(target="red ball"))
    robot.bench.wait_for(robot.drives)
    start_s = time.monotonic()
    robot.bench.result(goal.cancel_goal_async())
    assert not robot.bench.result(goal.get_result_async()).result.found
    assert robot.standstill_after(start_s) < STOP_S
    assert robot.states[-1].mode == "idle"


def test_search_ends_when_another_task_takes_its_place(robot: Robot) -> None:
    goal = robot.bench.send_goal(SearchTarget, "search_target", SearchTarget.Goal(target="red ball"))
    assert robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="explore")).accepted
    result = robot.bench.result(goal.get_result_async()).result
    assert not result.found
    assert "another task" in result.message


def test_search_ends_with_the_reason_when_the_model_cannot_be_asked_about_its_target(robot: Robot) -> None:
    robot.seen = TargetPercept(target="zebra", path="unknown", refusal="the model does not know 'zebra'")
    robot.see()
    goal = robot.bench.send_goal(SearchTarget, "search_target", SearchTarget.Goal(target="zebra"))
    result = robot.bench.result(goal.get_result_async()).result
    assert (result.found, result.message) == (False, "the model does not know 'zebra'")


@pytest.mark.parametrize("timeout_s", [-5.0, float("nan"), float("inf"), 1e-30, 3601.0])
def test_search_is_refused_when_its_time_is_none(robot: Robot, timeout_s: float) -> None:
    goal = SearchTarget.Goal(target="red ball", timeout_s=timeout_s)
    assert not robot.bench.send_goal(SearchTarget, "search_target", goal).accepted


def test_what_a_client_sent_is_quoted_in_the_log(robot: Robot) -> None:
    log = robot.bench.listen(Log, "/rosout")
    goal = SearchTarget.Goal(target="zebra\x1b[31m\n[INFO] all is well")
    assert not robot.bench.send_goal(SearchTarget, "search_target", goal).accepted
    robot.bench.wait_for(lambda: any("refused to search" in line.msg for line in log))
    assert not any("\x1b" in line.msg for line in log)
    assert "\x1b" not in robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="\x1b[2J")).message


def test_it_listens_for_things_only_while_it_explores(robot: Robot) -> None:
    listeners = robot.bench.node.count_subscribers
    robot.search()
    time.sleep(0.5)
    assert listeners("things") == 0
    assert robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="explore")).accepted
    robot.bench.wait_for(lambda: listeners("things") == 1)
    assert robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="idle")).accepted
    robot.bench.wait_for(lambda: listeners("things") == 0)


def test_it_says_what_it_saw_and_where_to_latecomers_too_when_it_explores(robot: Robot) -> None:
    node = robot.bench.node
    odometry, things = node.create_publisher(Odometry, "odom", 1), node.create_publisher(ThingsSeen, "things", 1)
    inventories = robot.bench.listen(Inventory, "inventory", LATCHED)
    assert robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="explore")).accepted
    robot.bench.wait_for(things.get_subscription_count)
    things.publish(ThingsSeen(names=["ball"]))  # cannot be read, and does no harm
    for step in range(41):
        # along a straight line past a ball that lies at (1, 1), looking at it; a ghost is seen once
        x_m = 0.05 * step
        yaw_rad = math.atan2(1.0, 1.0 - x_m)
        stamp = node.get_clock().now().to_msg()
        message = Odometry()
        message.header.stamp, message.header.frame_id = stamp, "odom"
        message.pose.pose.position.x = x_m
        message.pose.pose.orientation.z, message.pose.pose.orientation.w = math.sin(yaw_rad / 2), math.cos(yaw_rad / 2)
        odometry.publish(message)
        names = ["ball", "ghost"] if step == 20 else ["ball"]
        seen = ThingsSeen(names=names, bearings=["center"] * len(names), ranges=["far"] * len(names), confidence=0.9)
        seen.header.stamp = stamp
        time.sleep(0.05)
        things.publish(seen)
        time.sleep(0.02)
    robot.bench.wait_for(lambda: inventories and inventories[-1].things)
    robot.bench.wait_for(lambda: inventories.times_s[-1] < time.monotonic() - 1.5)
    said_s = [ns_from_stamp(message.header.stamp) * 1e-9 for message in inventories]
    assert len(said_s) > 2
    assert min(after - before for before, after in pairwise(said_s)) > 0.9
    assert robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="idle")).accepted
    late = robot.bench.listen(Inventory, "inventory", LATCHED)
    robot.bench.wait_for(lambda: late)
    (ball,) = late[-1].things
    assert ball.name == "ball"
    assert math.dist((ball.place.x, ball.place.y), (1.0, 1.0)) < 0.5
    assert ball.certainty > 0.5
    assert late[-1].header.frame_id == "odom"
    assert robot.bench.call(SetMode, "set_mode", SetMode.Request(mode="explore")).accepted
    robot.bench.wait_for(lambda: inventories[-1].things == [])


def test_odometry_that_is_late_or_has_no_heading_is_told_of(robot: Robot) -> None:
    node = robot.bench.node
    odometry, log = node.create_publisher(Odometry, "odom", 1), robot.bench.listen(Log, "/rosout")
    robot.bench.wait_for(odometry.get_subscription_count)
    late, unset = Odometry(), Odometry()
    unset.pose.pose.orientation.w = 0.0

    def told(words: str) -> bool:
        late.header.stamp = stamp_from_ns(node.get_clock().now().nanoseconds - 1_000_000_000)
        unset.header.stamp = node.get_clock().now().to_msg()
        odometry.publish(late)
        time.sleep(0.05)
        odometry.publish(unset)
        return any(words in line.msg for line in log)

    robot.bench.wait_for(lambda: told("odometry is 1.0 s old"))
    robot.bench.wait_for(lambda: told("odometry cannot be read: its orientation (x=0, y=0, z=0, w=0) is no rotation"))


def test_odometry_that_stands_still_is_told_of_in_the_diagnostics(robot: Robot) -> None:
    node = robot.bench.node
    odometry, health = node.create_publisher(Odometry, "odom", 1), robot.bench.listen(DiagnosticArray, "/diagnostics")

    def stand_still() -> None:
        message = Odometry()
        message.header.stamp = node.get_clock().now().to_msg()
        odometry.publish(message)

    standing = robot.bench.repeat(0.05, stand_still)
    robot.see()
    robot.search()
    robot.bench.wait_for(
        lambda: any("odometry does not follow" in status.message for array in list(health) for status in array.status)
    )
    standing.cancel()


def test_targets_are_latched_and_bad_ones_refused(robot: Robot) -> None:
    robot.search()
    assert not robot.bench.call(SetTarget, "set_target", SetTarget.Request(target="")).accepted
    assert not robot.bench.call(SetTarget, "set_target", SetTarget.Request(target="ball", mode="fly")).accepted
    late = robot.bench.listen(String, "target", LATCHED)
    robot.bench.wait_for(lambda: late and late[-1].data == "red ball")


def test_live_limits_change_and_fixed_settings_are_refused_when_configured(robot: Robot) -> None:
    def change(name: str, value: object) -> Any:
        request = SetParametersAtomically.Request(parameters=[Parameter(name, value=value).to_parameter_msg()])
        service = "navigator_node/set_parameters_atomically"
        return robot.bench.call(SetParametersAtomically, service, request).result

    assert change("max_linear_mps", 0.1).successful
    refused = change("stamped", True)
    assert not refused.successful
    assert "clean the node up" in refused.reason
    assert "no default" in change("max_linear_mps", 0.0).reason
    robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    time.sleep(0.5)
    assert max(command.linear.x for command in robot.commands) <= 0.1 + 1e-6
    assert change("max_linear_mps", LIMITS["max_linear_mps"]).successful
