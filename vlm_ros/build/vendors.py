"""Whose engines are built."""

from __future__ import annotations

from vlm_ros.build.builder import EngineBuilder
from vlm_ros.core.bundle import Bundle

ONNXRUNTIME, TENSORRT = "onnxruntime", "tensorrt"
RUNTIMES = (ONNXRUNTIME, TENSORRT)


def builder_for(runtime: str, bundle: Bundle) -> EngineBuilder:
    """The builder of ``runtime``, one of ``RUNTIMES``, for this device; ``MissingLibrary`` where it is not here.

    The vendor's library is imported now.
    """
    if runtime == TENSORRT:
        from vlm_ros.build.tensorrt.builder import TensorRtBuilder
        from vlm_ros.build.tensorrt.profiles import limits_from_config

        return TensorRtBuilder(limits_from_config(bundle.config))
    from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder

    return OnnxRuntimeBuilder()
