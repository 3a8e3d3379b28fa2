"""The navigator as a process: it drives on fresh percepts, and stands without."""

from __future__ import annotations

import signal
import time
from typing import Any

import pytest
from geometry_msgs.msg import Twist, TwistStamped
from lifecycle_msgs.msg import Transition
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from std_msgs.msg import String

from vlm_ros.ros.qos import LATCHED
from vlm_ros_interfaces.action import SearchTarget
from vlm_ros_interfaces.msg import NavigationState, TargetPercept
from vlm_ros_interfaces.srv import SetMode, SetTarget

LIMITS = {"max_linear_mps": 0.4, "max_angular_radps": 1.5, "max_linear_mps2": 2.0, "max_angular_radps2": 8.0}
STALE_S = 0.4
"""How long the tested navigator trusts a percept."""
STOP_S = 0.25
"""How soon after that the robot must stand."""


class Robot:
    """A navigator at work, percepts of a far red ball straight ahead, and what the wheels are told."""

    def __init__(self, bench: Any, **parameters: Any) -> None:
        self.bench = bench
        self.process = bench.start_node(
            "navigator_node", **LIMITS, max_percept_age_s=STALE_S, max_silence_s=STALE_S, **parameters
        )
        self.commands = bench.listen(Twist, "cmd_vel")
        self.states = bench.listen(NavigationState, "navigation_state")
        self._percepts = bench.node.create_publisher(TargetPercept, "percept", 1)
        self.seen = TargetPercept(
            target="red ball", visible=True, bearing="center", range="far", path="clear", confidence=0.9, readable=True
        )
        self.lag_s = 0.0
        bench.bring_up("navigator_node")

    def see(self) -> Any:
        """Publish percepts at 10 Hz until the timer is cancelled."""
        return self.bench.repeat(0.1, self._publish)

    def search(self) -> None:
        response = self.bench.call(SetTarget, "set_target", SetTarget.Request(target="red ball"))
        assert response.accepted, response.message

    def drives(self) -> bool:
        return bool(self.commands) and self.commands[-1].linear.x > 0.05

    def standstill_after(self, start_s: float) -> float:
        """Seconds from ``start_s`` to the first zero that no motion follows."""
        time.sleep(STALE_S + STOP_S + 0.3)
        moving = [at_s for at_s, command in zip(self.commands.times_s, self.commands, strict=False) if moves(command)]
        assert self.commands.since(moving[-1]), "no zero was published"
        return moving[-1] - start_s

    def _publish(self) -> None:
        now = self.bench.node.get_clock().now().nanoseconds - int(self.lag_s * 1e9)
        self.seen.header.stamp.sec, self.seen.header.stamp.nanosec = divmod(now, 10**9)
        self._percepts.publish(self.seen)


def moves(command: Twist) -> bool:
    return command.linear.x != 0.0 or command.angular.z != 0.0


@pytest.fixture
def robot(bench: Any) -> Robot:
    return Robot(bench)


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


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stands_and_exits_cleanly_when_signalled(robot: Robot, number: int) -> None:
    robot.see()
    robot.search()
    robot.bench.wait_for(robot.drives)
    start_s = time.monotonic()
    assert robot.bench.end(robot.process, number) == 0
    assert time.monotonic() - start_s < 2.0
    assert robot.standstill_after(start_s) < STOP_S


def test_it_stands_and_leaves_when_its_parent_dies(bench: Any) -> None:
    parent = bench.start(
        "import subprocess, sys, time\n"
        "code = 'from vlm_ros.nodes.navigator_node import main; raise SystemExit(main())'\n"
        "subprocess.Popen([sys.executable, '-c', code, *sys.argv[1:]])\n"
        "time.sleep(60)",
        **LIMITS,
    )
    commands = bench.listen(Twist, "cmd_vel")
    bench.bring_up("navigator_node")
    bench.wait_for(lambda: commands)
    bench.end(parent, signal.SIGKILL)
    bench.wait_for(lambda: not bench.node.get_publishers_info_by_topic("cmd_vel"), 5.0)


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


def test_commands_are_stamped_when_the_base_wants_them_so(bench: Any) -> None:
    bench.start_node("navigator_node", **LIMITS, stamped=True, base_frame="base")
    commands = bench.listen(TwistStamped, "cmd_vel")
    bench.bring_up("navigator_node")
    bench.wait_for(lambda: commands)
    assert commands[-1].header.frame_id == "base"
    assert commands[-1].header.stamp.sec > 0


def test_it_leaves_cmd_vel_to_others_when_it_is_to_be_quiet_while_idle(bench: Any) -> None:
    robot = Robot(bench, quiet_when_idle=True)
    bench.wait_for(lambda: robot.commands)
    time.sleep(1.3)
    start_s = time.monotonic()
    time.sleep(0.5)
    assert not robot.commands.since(start_s)
    robot.see()
    robot.search()
    bench.wait_for(robot.drives)


def test_it_begins_with_the_task_it_was_started_with(bench: Any) -> None:
    robot = Robot(bench, mode="search", target="'red ball'")
    robot.see()
    bench.wait_for(robot.drives)


def test_it_does_not_configure_when_the_robots_limits_are_not_given(bench: Any) -> None:
    bench.start_node("navigator_node")
    assert not bench.change("navigator_node", Transition.TRANSITION_CONFIGURE)
    assert bench.state("navigator_node") == "unconfigured"
