"""Whose engines are built."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from vlm_ros.build.builder import EngineBuilder
from vlm_ros.build.tensorrt.options import PORTABLE, TensorRtOptions
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import VlmRosError

ONNXRUNTIME, TENSORRT = "onnxruntime", "tensorrt"
RUNTIMES = (ONNXRUNTIME, TENSORRT)

CUDA = "cuda"
SERVED = (*RUNTIMES, CUDA)
"""What a model may run on: ONNX Runtime on CUDA needs no engines, it runs the ONNX files themselves."""


def builder_for(runtime: str, bundle: Bundle, options: TensorRtOptions | None = None) -> EngineBuilder:
    """The builder of ``runtime``, one of ``RUNTIMES``, for this device; ``MissingLibrary`` where it is not here.

    The vendor's library is imported now. ``options`` are for TensorRT alone.
    """
    return _builder(runtime, bundle.config, options)


def devices_here() -> set[tuple[str, str]]:
    """Runtime with version, and device, of all engines that this machine can load; what it lacks is left out."""
    here = set()
    for runtime in RUNTIMES:
        for portable in PORTABLE if runtime == TENSORRT else PORTABLE[:1]:
            with contextlib.suppress(VlmRosError):
                builder = _builder(runtime, {}, TensorRtOptions(portable=portable))
                here.add((builder.runtime, builder.device))
    return here


def _builder(runtime: str, config: Mapping[str, Any], options: TensorRtOptions | None = None) -> EngineBuilder:
    if runtime == TENSORRT:
        from vlm_ros.build.tensorrt.builder import TensorRtBuilder
        from vlm_ros.build.tensorrt.profiles import limits_from_config

        return TensorRtBuilder(limits_from_config(config), options)
    from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder

    return OnnxRuntimeBuilder()
