"""Camera, model and navigator as processes: whatever breaks the chain, the robot stands, and goes on afterwards."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest
from geometry_msgs.msg import Twist
from lifecycle_msgs.msg import Transition
from robot_bench import MODEL, Bench, Camera

from vlm_ros_interfaces.msg import NavigationState, TargetPercept
from vlm_ros_interfaces.srv import SetMode, SetTarget

LIMITS = {"max_linear_mps": 0.4, "max_angular_radps": 1.5, "max_linear_mps2": 2.0, "max_angular_radps2": 8.0}
STALE_S = 0.6
STOP_S = 0.25


class Chain:
    """A robot that searches, with a model of random weights: it turns and drives at random."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.camera = Camera(bench)
        self.commands = bench.listen(Twist, "cmd_vel")
        self.states = bench.listen(NavigationState, "navigation_state")
        self.percepts = bench.listen(TargetPercept, "percept")
        self.start_inference()
        bench.start_node("navigator_node", **LIMITS, max_percept_age_s=STALE_S, max_silence_s=STALE_S)
        bench.bring_up("navigator_node")
        request = SetTarget.Request(target="red ball")
        assert bench.call(SetTarget, "set_target", request).accepted
        bench.wait_for(self.moves)

    def start_inference(self) -> None:
        self.inference = self.bench.start_node("inference_node", model=MODEL, threads=1, describe_tokens=20)
        self.bench.bring_up("inference_node")

    def moves(self) -> bool:
        """Whether the newest command is a motion."""
        return bool(self.commands) and _moves(self.commands[-1])

    def stands_in_time(self, start_s: float) -> bool:
        """Whether no motion is commanded later than the bound after ``start_s``, and zeros are."""
        time.sleep(STALE_S + STOP_S + 0.5)
        late = self.commands.since(start_s + STALE_S + STOP_S)
        return bool(late) and not any(map(_moves, late))


def _moves(command: Twist) -> bool:
    return command.linear.x != 0.0 or command.angular.z != 0.0


@pytest.fixture(scope="module")
def chain(engines: None) -> Iterator[Chain]:
    """One chain for all tests: each of them breaks it, and sees it recover."""
    with Bench() as bench:
        yield Chain(bench)


def test_the_robot_stands_when_the_inference_process_is_killed_and_goes_on_when_it_is_back(chain: Chain) -> None:
    start_s = time.monotonic()
    chain.bench.end(chain.inference, signal.SIGKILL)
    assert chain.stands_in_time(start_s)
    assert "no answer" in chain.states[-1].gate_reason or "old" in chain.states[-1].gate_reason
    chain.start_inference()
    chain.bench.wait_for(chain.moves)


def test_the_robot_stands_when_the_camera_pauses_and_goes_on_when_it_is_back(chain: Chain) -> None:
    start_s = time.monotonic()
    chain.camera.timer.cancel()
    assert chain.stands_in_time(start_s)
    chain.camera.timer.reset()
    chain.bench.wait_for(chain.moves)


def test_the_robot_stands_when_pictures_are_garbage_and_goes_on_when_they_are_not(chain: Chain) -> None:
    start_s = time.monotonic()
    chain.camera.encoding = "rgb9"
    assert chain.stands_in_time(start_s)
    chain.camera.encoding = "rgb8"
    chain.bench.wait_for(chain.moves)


def test_the_robot_stands_when_the_model_is_deactivated_and_goes_on_when_it_is_back(chain: Chain) -> None:
    assert chain.bench.change("inference_node", Transition.TRANSITION_DEACTIVATE)
    assert chain.stands_in_time(time.monotonic())
    assert chain.bench.change("inference_node", Transition.TRANSITION_ACTIVATE)
    chain.bench.wait_for(chain.moves)


def test_a_robot_that_explores_learns_of_the_path_without_a_target(chain: Chain) -> None:
    bench, percepts = chain.bench, chain.percepts
    assert bench.call(SetMode, "set_mode", SetMode.Request(mode="idle")).accepted
    time.sleep(0.5)
    start_s = time.monotonic()
    time.sleep(0.5)
    assert not percepts.since(start_s)
    assert not chain.moves()
    assert bench.call(SetMode, "set_mode", SetMode.Request(mode="explore")).accepted
    bench.wait_for(lambda: percepts.since(start_s))
    assert percepts[-1].path in ("clear", "blocked")
