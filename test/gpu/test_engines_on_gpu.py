"""Engines built and run for real give what ONNX Runtime gives, and leave no memory behind."""

from __future__ import annotations

import gc
from collections.abc import Callable

import numpy as np
import pytest
from plans import tensorrt_runner

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Runner

MAX_ABS = 1e-4
"""How far fp32 may be off: the order of sums differs, the types do not."""

SLACK_BYTES = 16 << 20
"""What the driver may keep for itself."""


def feeds_of(runner: Runner) -> dict[str, np.ndarray]:
    """Noise of two steps after two tokens."""
    noise = np.random.default_rng(7)
    sizes = {"batch": 1, "sequence": 2, "past": 2, "total": 4}
    shapes = {
        name: [size if isinstance(size, int) else sizes[size] for size in spec.shape]
        for name, spec in runner.inputs.items()
    }
    return {
        name: (noise.standard_normal(shape) * 3).astype(runner.inputs[name].dtype) for name, shape in shapes.items()
    }


@pytest.mark.parametrize("part", LLAVA_PARTS)
def test_engine_gives_what_the_onnx_file_gives_when_it_runs_on_a_gpu(tiny: Bundle, part: str) -> None:
    reference, runner = OnnxRuntimeRunner(tiny.onnx(part)), tensorrt_runner(tiny.onnx(part))
    for each in (reference, runner):
        each.activate()
    feeds = feeds_of(reference)
    expected, actual = reference.run(feeds), runner.run(feeds)
    runner.deactivate()
    for name, values in expected.items():
        assert np.ptp(values) > 0, "an output that is constant proves nothing"
        np.testing.assert_allclose(actual[name], values, atol=MAX_ABS)


def test_tokens_are_onnx_runtimes_when_decoded_on_a_gpu(make_model: Callable[..., LlavaModel], tiny: Bundle) -> None:
    runners = {part: OnnxRuntimeRunner(tiny.onnx(part)) for part in LLAVA_PARTS}
    for runner in runners.values():
        runner.activate()
    pictures = np.random.default_rng(3).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    said = [
        [model.observe(Frame(picture)).ask("What is in the image?", FreeText(24)).text for picture in pictures]
        for model in (make_model(), LlavaModel(tiny, runners))
    ]
    assert said[0] == said[1]


def test_runs_stay_right_when_they_repeat_and_become_a_graph(tiny: Bundle) -> None:
    reference, runner = OnnxRuntimeRunner(tiny.onnx("vision_encoder")), tensorrt_runner(tiny.onnx("vision_encoder"))
    for each in (reference, runner):
        each.activate()
    feeds = feeds_of(reference)
    for factor in (1.0, 0.5, -0.5, 0.25):
        scaled = {name: (values * factor).astype(values.dtype) for name, values in feeds.items()}
        actual = runner.run(scaled)
        for name, values in reference.run(scaled).items():
            np.testing.assert_allclose(actual[name], values, atol=MAX_ABS)
    runner.deactivate()


def test_memory_is_given_back_when_a_runner_is_deactivated(tiny: Bundle) -> None:
    from vlm_ros.runtime.tensorrt.gpu import open_gpu

    runner = tensorrt_runner(tiny.onnx("decoder_model_merged"))
    free_bytes = []
    for _ in range(4):
        runner.activate()
        runner.deactivate()
        gc.collect()
        free_bytes.append(open_gpu().free_bytes)
    assert free_bytes[0] - free_bytes[-1] < SLACK_BYTES
