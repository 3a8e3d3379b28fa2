"""The inference node as a process, with a tiny model of random weights: its robot's answers are always readable."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import Transition
from robot_bench import Bench
from sensor_msgs.msg import Image
from std_msgs.msg import String

from vlm_ros.ros.images import image_from_rgb
from vlm_ros.ros.qos import LATCHED, NEWEST
from vlm_ros_interfaces.action import Generate
from vlm_ros_interfaces.msg import SceneDescription, TargetPercept
from vlm_ros_interfaces.srv import Ask

MODEL = Path(__file__).resolve().parents[1] / "bundles" / "tiny_llava"


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The model's engines, built by the build node, in a cache of this test's own."""
    before = dict(os.environ)
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    with Bench() as bench:
        assert bench.start_node("build_node", model=MODEL, exit_when_done=True).wait(60) == 0
    yield
    os.environ.clear()
    os.environ.update(before)


class Camera:
    """Publishes pictures at 10 Hz; each is told apart by its stamp."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.publisher = bench.node.create_publisher(Image, "camera/image_raw", 1)
        self.picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        self.lag_s = 0.0
        self.encoding = "rgb8"
        self.stamps: set[tuple[int, int]] = set()
        self.timer = bench.repeat(0.1, self.publish)

    def publish(self) -> None:
        now = self.bench.node.get_clock().now().nanoseconds - int(self.lag_s * 1e9)
        message = image_from_rgb(self.picture, self.bench.node.get_clock().now().to_msg(), "optical")
        message.encoding = self.encoding
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 10**9)
        self.stamps.add((message.header.stamp.sec, message.header.stamp.nanosec))
        self.publisher.publish(message)


class Eyes:
    """An inference node at work, a camera, and all that the node says."""

    def __init__(self, bench: Bench, **parameters: Any) -> None:
        self.bench = bench
        self.process = bench.start_node("inference_node", **{"model": MODEL, "threads": 1, **parameters})
        self.camera = Camera(bench)
        self.percepts = bench.listen(TargetPercept, "percept")
        self.scenes = bench.listen(SceneDescription, "scene")
        self.words = bench.listen(String, "scene_description")
        self.health = bench.listen(DiagnosticArray, "/diagnostics")
        self._targets = bench.node.create_publisher(String, "target", LATCHED)
        bench.bring_up("inference_node")

    def look_for(self, target: str) -> None:
        self._targets.publish(String(data=target))

    def figure(self, key: str) -> str:
        """The newest value of ``key`` in the diagnostics."""
        statuses = [status for array in list(self.health) for status in array.status if "inference" in status.name]
        return next((item.value for item in statuses[-1].values if item.key == key), "") if statuses else ""

    def summary(self) -> str:
        statuses = [status for array in list(self.health) for status in array.status if "inference" in status.name]
        return statuses[-1].message if statuses else ""

    def ask(self, **request: Any) -> Any:
        return self.bench.call(Ask, "inference_node/ask", Ask.Request(**request))

    def percept_soon(self, timeout_s: float = 5.0) -> TargetPercept:
        start_s = time.monotonic()
        self.bench.wait_for(lambda: self.percepts.since(start_s), timeout_s)
        return self.percepts[-1]


@pytest.fixture
def eyes(bench: Bench, engines: None) -> Eyes:
    return Eyes(bench, describe_period_s=0.5, describe_tokens=8)


def test_it_describes_the_scene_with_the_pictures_own_stamp(eyes: Eyes) -> None:
    eyes.bench.wait_for(lambda: eyes.scenes and eyes.words)
    scene = eyes.scenes[0]
    assert (scene.header.stamp.sec, scene.header.stamp.nanosec) in eyes.camera.stamps
    assert scene.header.frame_id == "optical"
    assert scene.text == eyes.words[0].data
    assert 0 < scene.tokens <= 8
    assert not eyes.percepts


def test_it_answers_the_robot_for_every_picture_while_there_is_a_target(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    percept = eyes.percept_soon()
    assert percept.target == "red ball"
    assert percept.readable
    assert percept.path in ("clear", "blocked")
    assert percept.visible == bool(percept.bearing) == bool(percept.range)
    assert (percept.header.stamp.sec, percept.header.stamp.nanosec) in eyes.camera.stamps
    eyes.look_for("")
    time.sleep(0.5)
    start_s = time.monotonic()
    time.sleep(0.5)
    assert not eyes.percepts.since(start_s)


def test_a_target_that_cannot_be_asked_about_gives_unreadable_percepts(eyes: Eyes) -> None:
    eyes.look_for("x" * 500)
    percept = eyes.percept_soon()
    assert not percept.readable
    assert not percept.visible


def test_it_goes_on_and_says_why_when_pictures_are_garbage(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.camera.encoding = "rgb9"
    time.sleep(0.5)
    start_s = time.monotonic()
    time.sleep(1.5)
    assert not eyes.percepts.since(start_s)
    eyes.bench.wait_for(lambda: "rgb9" in eyes.figure("last_bad_image"))
    assert int(eyes.figure("bad_images")) > 0
    eyes.camera.encoding = "rgb8"
    eyes.percept_soon()


def test_it_refuses_old_pictures(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.camera.lag_s = 5.0
    time.sleep(0.5)
    start_s = time.monotonic()
    eyes.bench.wait_for(lambda: int(eyes.figure("too_old") or 0) > 0)
    assert not eyes.percepts.since(start_s)
    eyes.camera.lag_s = 0.0
    eyes.percept_soon()


def test_it_answers_people_in_the_form_they_ask_for(eyes: Eyes) -> None:
    answer = eyes.ask(question="Which?", choices=["apple", "pear"])
    assert answer.success, answer.message
    assert answer.answer in ("apple", "pear")
    assert (answer.header.stamp.sec, answer.header.stamp.nanosec) in eyes.camera.stamps
    assert "at most one" in eyes.ask(question="Which?", choices=["a"], regex="b").message
    assert not eyes.ask(question="").success
    eyes.camera.timer.cancel()
    time.sleep(0.3)
    assert "no usable picture" in eyes.ask(question="Which?").message


def test_it_generates_piece_by_piece_and_lets_the_robot_in_between(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    pieces: list[str] = []
    start_s = time.monotonic()
    goal = eyes.bench.send_goal(
        Generate,
        "inference_node/generate",
        Generate.Goal(prompt="Tell me all.", max_tokens=60),
        lambda message: pieces.append(message.feedback.text),
    )
    result = eyes.bench.result(goal.get_result_async()).result
    eyes.bench.wait_for(lambda: "".join(pieces).strip() == result.text)
    assert len(pieces) > 1
    assert eyes.percepts.since(start_s)


def test_a_generation_ends_when_it_is_cancelled(eyes: Eyes) -> None:
    goal = eyes.bench.send_goal(Generate, "inference_node/generate", Generate.Goal(prompt="Tell me all."))
    eyes.camera.timer.cancel()
    eyes.bench.result(goal.cancel_goal_async())
    result = eyes.bench.result(goal.get_result_async()).result
    assert not result.success


def test_diagnostics_carry_the_figures(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    eyes.bench.wait_for(lambda: float(eyes.figure("first_token_s") or 0) > 0 and eyes.figure("state") == "active")
    assert eyes.figure("model") == "tiny_llava"
    assert int(eyes.figure("memory_bytes")) > 10_000_000
    assert int(eyes.figure("frames_received")) > 0
    assert float(eyes.figure("tokens_per_s")) > 0


def test_it_says_which_topics_carry_pictures_when_nobody_publishes_its_own(bench: Bench, engines: None) -> None:
    eyes = Eyes(bench, image_topic="front/image")
    eyes.bench.wait_for(lambda: "nobody publishes '/front/image'" in eyes.summary(), 10.0)
    assert "/camera/image_raw" in eyes.summary()


def test_it_meets_a_camera_that_is_best_effort(bench: Bench, engines: None) -> None:
    eyes = Eyes(bench, describe_period_s=0.5, describe_tokens=2)
    eyes.bench.wait_for(lambda: eyes.scenes)
    bench.node.destroy_publisher(eyes.camera.publisher)
    eyes.camera.publisher = bench.node.create_publisher(Image, "camera/image_raw", NEWEST)
    start_s = time.monotonic()
    eyes.bench.wait_for(lambda: eyes.scenes.since(start_s + 1.0), 10.0)


def test_it_stops_and_recovers_when_deactivated_and_cleaned_up(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    assert eyes.bench.change("inference_node", Transition.TRANSITION_DEACTIVATE)
    start_s = time.monotonic()
    assert "not active" in eyes.ask(question="What?").message
    assert not eyes.percepts.since(start_s + 0.1)
    assert eyes.bench.change("inference_node", Transition.TRANSITION_CLEANUP)
    eyes.bench.bring_up("inference_node")
    eyes.percept_soon()


def test_it_exits_cleanly_when_signalled(eyes: Eyes) -> None:
    eyes.look_for("red ball")
    eyes.percept_soon()
    start_s = time.monotonic()
    assert eyes.bench.end(eyes.process, signal.SIGTERM) == 0
    assert time.monotonic() - start_s < 3.0


def test_it_does_not_configure_and_names_the_command_when_engines_are_missing(
    bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bench.start_node("inference_node", model=MODEL)
    assert not bench.change("inference_node", Transition.TRANSITION_CONFIGURE)
    assert bench.state("inference_node") == "unconfigured"
    assert "vlm_ros build" in capfd.readouterr().err
