"""How a process leaves, and how a managed node's transitions fail."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from robot_bench import Bench

FRAGILE = """
from rclpy.node import Node
from vlm_ros.core.errors import BadConfig
from vlm_ros.ros.running import run_node

class Fragile(Node):
    def __init__(self, leave):
        super().__init__("fragile")
        if {refuses}: raise BadConfig("the robot has no wheels")
        self.create_timer(0.1, self.work)
        if {leaves}: leave(3)
    def work(self):
        if {raises}: raise RuntimeError("the wheel came off")
    def stop(self):
        open({note!r}, "w").write("stopped")

raise SystemExit(run_node(Fragile, threads={threads}))
"""

STUBBORN = """
from dataclasses import dataclass
from vlm_ros.core.config import setting
from vlm_ros.core.errors import BadConfig
from vlm_ros.ros.lifecycle import ManagedNode
from vlm_ros.ros.running import run_node

@dataclass(frozen=True)
class StubbornConfig:
    fails: str = setting("", "which transition fails", choices=("", "configure", "activate"))
    on_purpose: bool = setting(False, "whether with an error of ours", live=True)

class Stubborn(ManagedNode):
    def __init__(self, leave):
        super().__init__("stubborn", StubbornConfig())
    def work(self, what):
        if self.config.fails == what:
            raise BadConfig("not today") if self.config.on_purpose else RuntimeError("not ever")
    def configure(self): self.work("configure")
    def activate(self): self.work("activate")

raise SystemExit(run_node(Stubborn))
"""


def fragile(note: Path, **facts: object) -> str:
    return FRAGILE.format(
        **{"refuses": False, "leaves": False, "raises": False, "threads": 1, "note": str(note), **facts}
    )


@pytest.mark.parametrize("threads", [1, 3])
def test_a_node_stops_and_fails_when_a_callback_raises(
    bench: Bench, tmp_path: Path, threads: int, capfd: pytest.CaptureFixture[str]
) -> None:
    note = tmp_path / "note"
    assert bench.start(fragile(note, raises=True, threads=threads)).wait(20) == 1
    assert note.read_text() == "stopped"
    assert "the wheel came off" in capfd.readouterr().err


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_node_stops_and_succeeds_when_signalled(bench: Bench, tmp_path: Path, threads: int, number: int) -> None:
    note = tmp_path / "note"
    process = bench.start(fragile(note, threads=threads))
    bench.wait_for(lambda: "fragile" in bench.node.get_node_names())
    assert bench.end(process, number) == 0
    assert note.read_text() == "stopped"


def test_a_node_leaves_with_its_own_status(bench: Bench, tmp_path: Path) -> None:
    assert bench.start(fragile(tmp_path / "note", leaves=True)).wait(20) == 3


def test_a_node_that_refuses_to_start_says_why_in_one_line(
    bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert bench.start(fragile(tmp_path / "note", refuses=True)).wait(20) == 1
    error = capfd.readouterr().err
    assert "the robot has no wheels" in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("node", "parameters", "words"),
    [
        ("navigator_node", {"mode": "fly"}, "'mode' is 'fly'"),
        ("navigator_node", {"max_linear_mps": ".nan"}, "highest speed"),
        ("inference_node", {"batch": 0}, "how many questions"),
    ],
)
def test_a_managed_node_refuses_bad_parameters_in_one_line(
    bench: Bench, node: str, parameters: dict[str, object], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert bench.start_node(node, **parameters).wait(20) == 1
    lines = capfd.readouterr().err.splitlines()
    assert len(lines) == 1
    assert words in lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--params-file", "/absent/robot.yaml"], "/absent/robot.yaml"),
        (["--params-file", "{malformed}"], "ros__parameters"),
        (["-r", "__ns:=/robot-1"], "/robot-1"),
        (["-r", "cmd_vel:=/my robot/cmd_vel"], "/my robot/cmd_vel"),
        (["-p", "use_sim_time:=1"], "use_sim_time"),
    ],
)
def test_arguments_that_ros_cannot_take_are_refused_in_one_line(
    bench: Bench, tmp_path: Path, arguments: list[str], words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    malformed = tmp_path / "robot.yaml"
    malformed.write_text("navigator_node:\n  max_linear_mps: 0.4\n")
    given = [argument.format(malformed=malformed) for argument in arguments]
    assert bench.start_node("navigator_node", ros_arguments=given).wait(20) == 1
    check_one_line(capfd.readouterr().err, words)


def test_a_domain_that_is_no_number_is_refused_in_one_line(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ROS_DOMAIN_ID", "abc")
    assert bench.start_node("navigator_node").wait(20) == 1
    check_one_line(capfd.readouterr().err, "ROS_DOMAIN_ID")


def check_one_line(error: str, words: str) -> None:
    """Of ours; ROS's own libraries write some before it."""
    ours = [line for line in error.splitlines() if "[rcl]" not in line]
    assert len(ours) == 1
    assert "[FATAL]" in ours[0]
    assert words in ours[0]


@pytest.mark.parametrize(("on_purpose", "words"), [(True, "not today"), (False, "Traceback")])
def test_a_failed_transition_says_why_and_leaves_a_node_that_can_be_tried_again(
    bench: Bench, on_purpose: bool, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    process = bench.start(STUBBORN, fails="configure", on_purpose=on_purpose)
    for _ in range(2):
        assert not bench.change("stubborn", Transition.TRANSITION_CONFIGURE)
        assert bench.state("stubborn") == "unconfigured"
    assert bench.end(process) == 0
    assert words in capfd.readouterr().err


@pytest.mark.parametrize(("on_purpose", "state"), [(True, "inactive"), (False, "unconfigured")])
def test_a_failed_activation_leaves_a_node_that_does_not_work(bench: Bench, on_purpose: bool, state: str) -> None:
    bench.start(STUBBORN, fails="activate", on_purpose=on_purpose)
    assert bench.change("stubborn", Transition.TRANSITION_CONFIGURE)
    assert not bench.change("stubborn", Transition.TRANSITION_ACTIVATE)
    assert bench.state("stubborn") == state


def test_a_transition_that_the_state_does_not_have_is_refused(bench: Bench) -> None:
    process = bench.start(STUBBORN)
    assert bench.change("stubborn", Transition.TRANSITION_CONFIGURE)
    request = ChangeState.Request(transition=Transition(id=Transition.TRANSITION_CONFIGURE))
    assert not bench.call(ChangeState, "stubborn/change_state", request).success
    assert bench.state("stubborn") == "inactive"
    assert bench.end(process) == 0
