"""Which model is served, and how."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.build.tensorrt.options import PORTABLE
from vlm_ros.build.vendors import ONNXRUNTIME, SERVED
from vlm_ros.core.bundle import AUTO, PRECISIONS
from vlm_ros.core.config import setting


@dataclass(frozen=True)
class ServiceConfig:
    """What ``open_service`` is to load."""

    model: str = setting("", "a model under engines/ or the folder of one; empty: the demo model")
    precision: str = setting("fp32", "which of the model's ONNX files are run", choices=(*PRECISIONS, AUTO))
    runtime: str = setting(ONNXRUNTIME, "what runs the model; build_node must build for the same", choices=SERVED)
    batch: int = setting(
        1, "how many questions TensorRT's engines take at once; build_node must build for as many", low=1, high=256
    )
    portable: str = setting(
        "no", "how portable TensorRT's engines are; build_node must build them as portable", choices=PORTABLE
    )
    threads: int = setting(0, "processor threads of each part of the model; 0: all cores", low=0, high=256)
    wait_for_engines: bool = setting(
        False, "refuse to be configured before the engines are built, instead of answering on ONNX Runtime meanwhile"
    )
    ignore_gate: bool = setting(False, "run parts that vlm_ros validate found to fail their gate")
    check_memory: bool = setting(True, "refuse a model that would not fit into the memory that is free")
