"""How an inference node starts, meets its camera, and leaves: a process for each test."""

from __future__ import annotations

import io
import signal
import time
from pathlib import Path

import PIL.Image
import pytest
from eyes import Eyes
from lifecycle_msgs.msg import Transition
from robot_bench import MODEL, Bench
from sensor_msgs.msg import CompressedImage, Image

from vlm_ros.ros.qos import NEWEST

SHORT_OF_MEMORY = """
from vlm_ros.build import run_preflight
from vlm_ros.nodes.inference_node import main

run_preflight.available_bytes = lambda **_: 10_000_000
raise SystemExit(main())
"""


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


def test_it_does_not_configure_and_names_the_command_when_it_is_to_wait_for_engines(
    bench: Bench, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bench.start_node("inference_node", model=MODEL, wait_for_engines=True)
    assert not bench.change("inference_node", Transition.TRANSITION_CONFIGURE)
    assert bench.state("inference_node") == "unconfigured"
    assert "vlm_ros build" in capfd.readouterr().err


@pytest.mark.parametrize(("topic", "words"), [("bad topic!", "must not contain characters"), ("", "must not be empty")])
def test_it_does_not_configure_when_no_camera_can_have_its_topic(
    bench: Bench, topic: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    process = bench.start_node("inference_node", model=MODEL, image_topic=f"'{topic}'")
    assert not bench.change("inference_node", Transition.TRANSITION_CONFIGURE)
    assert bench.state("inference_node") == "unconfigured"
    assert bench.end(process) == 0
    error = capfd.readouterr().err
    assert f"no topic can be called '{topic}'" in error
    assert words in error
    assert "Traceback" not in error


def test_it_does_not_configure_and_says_what_to_do_when_memory_is_short(
    bench: Bench, engines: None, capfd: pytest.CaptureFixture[str]
) -> None:
    for check_memory, configures in ((True, False), (False, True)):
        process = bench.start(SHORT_OF_MEMORY, model=MODEL, check_memory=check_memory)
        assert bench.change("inference_node", Transition.TRANSITION_CONFIGURE) == configures
        assert bench.end(process) == 0
    assert "takes about 0.05 GB while it answers and 0.01 GB are free: end other programs" in capfd.readouterr().err


def test_it_exits_cleanly_when_signalled(bench: Bench, engines: None) -> None:
    eyes = Eyes(bench)
    eyes.look_for("red ball")
    eyes.percept_soon()
    start_s = time.monotonic()
    assert eyes.bench.end(eyes.process, signal.SIGTERM) == 0
    assert time.monotonic() - start_s < 3.0


def test_it_reads_compressed_pictures(bench: Bench, engines: None) -> None:
    eyes = Eyes(bench, image_topic="camera/compressed", compressed=True, describe_period_s=0.2, describe_tokens=2)
    publisher = bench.node.create_publisher(CompressedImage, "camera/compressed", 1)
    buffer = io.BytesIO()
    PIL.Image.fromarray(eyes.camera.picture).save(buffer, "png")

    def publish() -> None:
        message = CompressedImage(format="rgb8; png compressed", data=buffer.getvalue())
        message.header.stamp = bench.node.get_clock().now().to_msg()
        publisher.publish(message)

    bench.repeat(0.1, publish)
    bench.wait_for(lambda: eyes.scenes)
