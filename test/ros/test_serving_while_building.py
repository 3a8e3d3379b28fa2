"""An inference node that meets no engines: it answers at once, and changes to them when they are there."""

from __future__ import annotations

import shutil
import signal
import time
from pathlib import Path

import pytest
from eyes import Eyes
from lifecycle_msgs.msg import Transition
from robot_bench import MODEL, Bench

from vlm_ros.ros.qos import LATCHED
from vlm_ros_interfaces.msg import EngineStatus

AS_EXPORTED, BUILT = "onnxruntime, as exported", "built for this device"
QUESTION = {"question": "what is in the image?", "regex": "[a-z]{12}"}

SLOW_BUILDER = """
import time
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.nodes import build_node

class SlowBuilder(OnnxRuntimeBuilder):
    def build(self, onnx, engine, watch):
        time.sleep(1.0)
        super().build(onnx, engine, watch)
        {afterwards}

build_node.builder_for = lambda *chosen: SlowBuilder(threads=1)
raise SystemExit(build_node.main())
"""

SPOILED = """
        import onnx
        graph = onnx.load(engine)
        tensor = max(graph.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        tensor.raw_data = b"".join(tensor.raw_data[i:i+4] for i in range(len(tensor.raw_data) - 4, -1, -4))
        onnx.save(graph, engine)
"""
"""The largest weights, backwards: an engine that runs, and answers something else."""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No engines."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def level(eyes: Eyes) -> int:
    statuses = [status for array in list(eyes.health) for status in array.status if "inference" in status.name]
    return int.from_bytes(statuses[-1].level, "little") if statuses else -1


def test_answers_come_at_once_and_stay_the_same_when_the_engines_take_over(bench: Bench) -> None:
    eyes = Eyes(bench, describe_period_s=0.0)
    eyes.look_for("red ball")
    first = eyes.percept_soon()
    bench.wait_for(lambda: eyes.figure("runtime") == AS_EXPORTED)
    bench.wait_for(lambda: "engines are missing" in eyes.summary())
    assert level(eyes) == 1
    assert "vlm_ros build" in eyes.summary()
    before = eyes.ask(**QUESTION)
    assert before.success

    builder = bench.start(SLOW_BUILDER.format(afterwards=""), model=MODEL, exit_when_done=True)
    bench.wait_for(lambda: "while engines are built" in eyes.summary())
    assert level(eyes) == 0
    eyes.percept_soon()
    assert builder.wait(30) == 0
    start_s = time.monotonic()
    bench.wait_for(lambda: BUILT in eyes.figure("runtime"))
    bench.wait_for(lambda: BUILT in eyes.summary())
    assert level(eyes) == 0

    gaps_s = [later - earlier for earlier, later in zip(eyes.percepts.times_s, eyes.percepts.times_s[1:], strict=False)]
    assert max(gaps_s) < 1.0, "the robot waited for the engines"
    assert eyes.percepts.since(start_s)
    after = eyes.ask(**QUESTION)
    assert after.answer == before.answer
    last = eyes.percept_soon()
    assert (last.visible, last.bearing, last.range, last.path) == (
        first.visible,
        first.bearing,
        first.range,
        first.path,
    )


def test_answers_go_on_and_diagnostics_warns_when_a_build_fails(bench: Bench, tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir(exist_ok=True)
    cache.write_text("a file where the store should be")
    eyes = Eyes(bench)
    eyes.look_for("red ball")
    statuses = bench.listen(EngineStatus, "engine_status", LATCHED)
    assert bench.start_node("build_node", model=MODEL, exit_when_done=True).wait(30) == 1
    assert statuses[-1].stage == EngineStatus.STAGE_FAILED
    bench.wait_for(lambda: "the engines could not be built" in eyes.summary())
    assert level(eyes) == 1
    assert "cannot write the engine store" in eyes.summary()
    assert "XDG_CACHE_HOME" in eyes.summary()
    eyes.percept_soon()


def test_an_engine_that_answers_otherwise_is_not_taken_and_diagnostics_says_by_how_much(bench: Bench) -> None:
    eyes = Eyes(bench)
    eyes.look_for("red ball")
    assert bench.start(SLOW_BUILDER.format(afterwards=SPOILED), model=MODEL, exit_when_done=True).wait(30) == 1
    bench.wait_for(lambda: "does not answer as" in eyes.summary())
    assert level(eyes) == 1
    assert "correlation" in eyes.summary()
    assert "decoder_model_merged" in eyes.summary()
    eyes.percept_soon()
    assert eyes.figure("runtime") == AS_EXPORTED


def test_diagnostics_tells_of_a_build_that_broke_down_and_the_builder_leaves(bench: Bench) -> None:
    eyes = Eyes(bench)
    broken = SLOW_BUILDER.format(afterwards="raise ZeroDivisionError('a bug')")
    assert bench.start(broken, model=MODEL, exit_when_done=True).wait(30) == 1
    bench.wait_for(lambda: "ZeroDivisionError: a bug" in eyes.summary())
    assert level(eyes) == 1


def test_diagnostics_warns_again_when_the_builder_dies(bench: Bench) -> None:
    eyes = Eyes(bench)
    builder = bench.start(SLOW_BUILDER.format(afterwards=""), model=MODEL)
    bench.wait_for(lambda: "while engines are built" in eyes.summary())
    assert bench.end(builder, signal.SIGKILL) == -signal.SIGKILL
    bench.wait_for(lambda: "engines are missing" in eyes.summary())
    assert level(eyes) == 1


def test_it_answers_on_onnx_runtime_and_says_why_when_tensorrt_is_not_here(bench: Bench) -> None:
    eyes = Eyes(bench, runtime="tensorrt")
    eyes.look_for("red ball")
    eyes.percept_soon()
    bench.wait_for(lambda: "'tensorrt' is missing" in eyes.summary())
    assert level(eyes) == 1
    assert eyes.figure("runtime") == AS_EXPORTED


def test_a_damaged_engine_is_not_loaded_and_the_one_built_in_its_place_is(bench: Bench, cache: Path) -> None:
    assert bench.start_node("build_node", model=MODEL, exit_when_done=True).wait(30) == 0
    engine = next(cache.rglob("decoder_model_merged*/engine"))
    content = bytearray(engine.read_bytes())
    content[len(content) // 2] ^= 1
    engine.write_bytes(content)
    eyes = Eyes(bench)
    eyes.look_for("red ball")
    eyes.percept_soon()
    bench.wait_for(lambda: "the engines cannot be used" in eyes.summary())
    assert eyes.figure("runtime") == AS_EXPORTED
    assert bench.start_node("build_node", model=MODEL, exit_when_done=True).wait(30) == 0
    bench.wait_for(lambda: BUILT in eyes.figure("runtime"))
    shutil.rmtree(cache)
    eyes.percept_soon()


def test_it_can_be_cleaned_up_and_come_back_on_the_engines(bench: Bench) -> None:
    eyes = Eyes(bench)
    assert bench.change("inference_node", Transition.TRANSITION_DEACTIVATE)
    assert bench.start_node("build_node", model=MODEL, exit_when_done=True).wait(30) == 0
    bench.wait_for(lambda: eyes.figure("state") == "inactive")
    assert bench.change("inference_node", Transition.TRANSITION_CLEANUP)
    bench.bring_up("inference_node")
    bench.wait_for(lambda: BUILT in eyes.figure("runtime"))
