"""How a navigator starts and leaves: a process for each test."""

from __future__ import annotations

import math
import signal
import time
from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import Twist, TwistStamped
from lifecycle_msgs.msg import Transition
from robot import LIMITS, STOP_S, Robot
from robot_bench import Bench
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stands_and_exits_cleanly_when_signalled(bench: Bench, number: int) -> None:
    robot = Robot(bench)
    robot.see()
    robot.search()
    bench.wait_for(robot.drives)
    start_s = time.monotonic()
    assert bench.end(robot.process, number) == 0
    assert time.monotonic() - start_s < 2.0
    assert robot.standstill_after(start_s) < STOP_S


def test_it_stands_and_leaves_when_its_parent_dies(bench: Bench) -> None:
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


def test_commands_are_stamped_when_the_base_wants_them_so(bench: Bench) -> None:
    bench.start_node("navigator_node", **LIMITS, stamped=True, base_frame="base")
    commands = bench.listen(TwistStamped, "cmd_vel")
    bench.bring_up("navigator_node")
    bench.wait_for(lambda: commands)
    assert commands[-1].header.frame_id == "base"
    assert commands[-1].header.stamp.sec > 0


@pytest.mark.parametrize(("kind", "remedy"), [(TwistStamped, True), (Twist, False)])
def test_diagnostics_say_when_the_base_wants_the_other_type_of_command(bench: Bench, kind: type, remedy: bool) -> None:
    health = bench.listen(DiagnosticArray, "/diagnostics")
    base = bench.listen(kind, "cmd_vel")
    bench.start_node("navigator_node", **LIMITS, stamped=not remedy)
    bench.bring_up("navigator_node")

    def complains() -> bool:
        return bool(health) and f"set 'stamped' to {str(remedy).lower()}" in health[-1].status[0].message

    bench.wait_for(complains)
    assert health[-1].status[0].level == DiagnosticStatus.WARN
    bench.hush(base)
    bench.wait_for(lambda: not complains())


def test_diagnostics_say_nothing_of_commands_that_the_base_takes(bench: Bench) -> None:
    health = bench.listen(DiagnosticArray, "/diagnostics")
    commands = bench.listen(Twist, "cmd_vel")
    bench.start_node("navigator_node", **LIMITS)
    bench.bring_up("navigator_node")
    bench.wait_for(lambda: commands)
    health.forget()
    bench.wait_for(lambda: health)
    assert "cmd_vel" not in health[-1].status[0].message


def test_it_leaves_cmd_vel_to_others_when_it_is_to_be_quiet_while_idle(bench: Bench) -> None:
    robot = Robot(bench, quiet_when_idle=True)
    bench.wait_for(lambda: robot.commands)
    time.sleep(1.3)
    start_s = time.monotonic()
    time.sleep(0.5)
    assert not robot.commands.since(start_s)
    robot.see()
    robot.search()
    bench.wait_for(robot.drives)


def test_it_begins_with_the_task_it_was_started_with(bench: Bench) -> None:
    robot = Robot(bench, mode="search", target="'red ball'")
    robot.see()
    bench.wait_for(robot.drives)


def test_it_does_not_configure_when_the_robots_limits_are_not_given(bench: Bench) -> None:
    bench.start_node("navigator_node")
    assert not bench.change("navigator_node", Transition.TRANSITION_CONFIGURE)
    assert bench.state("navigator_node") == "unconfigured"


def test_its_settings_file_applies_in_a_namespace(bench: Bench) -> None:
    file = Path(__file__).resolve().parents[2] / "config" / "navigator_node.yaml"
    bench.start_node("navigator_node", ["-r", "__ns:=/robot1", "--params-file", str(file)])
    assert bench.change("robot1/navigator_node", Transition.TRANSITION_CONFIGURE)


def test_it_stands_before_a_wall_that_lies_behind_a_laser_that_looks_back(bench: Bench) -> None:
    robot = Robot(bench, laser_yaw_deg=180.0)
    ranges = [0.2, 5.0, 5.0, 5.0]
    turn = {"angle_min": -math.pi, "angle_max": 0.5 * math.pi, "angle_increment": 0.5 * math.pi}
    scans = bench.node.create_publisher(LaserScan, "scan", 1)

    def scan() -> None:
        header = Header(stamp=bench.node.get_clock().now().to_msg())
        scans.publish(LaserScan(header=header, **turn, range_min=0.05, range_max=10.0, ranges=ranges))

    bench.repeat(0.1, scan)
    robot.see()
    robot.search()
    bench.wait_for(lambda: robot.states and robot.states[-1].state == "approaching")
    time.sleep(0.5)
    assert all(command.linear.x <= 0.0 for command in robot.commands)
