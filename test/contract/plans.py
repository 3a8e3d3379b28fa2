"""Plans of TensorRT, built once for all tests of a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from vlm_ros.runtime.runner import Runner

_FOLDER = tempfile.TemporaryDirectory(prefix="vlm_ros_plans_")
"""It goes when the process ends."""


def tensorrt_runner(onnx: Path) -> Runner:
    """A runner of ``onnx``, built for small shapes."""
    from vlm_ros.runtime.tensorrt.runner import TensorRtRunner

    return TensorRtRunner(_plan(onnx))


@cache
def _plan(onnx: Path) -> Path:
    from vlm_ros.build.tensorrt.builder import TensorRtBuilder
    from vlm_ros.build.tensorrt.profiles import Limits

    folder = Path(_FOLDER.name)
    limits = Limits(batch=4, prompt_tokens=256, context_tokens=256)
    TensorRtBuilder(limits, timings=folder / "timings").build(onnx, folder / onnx.stem)
    return folder / onnx.stem
