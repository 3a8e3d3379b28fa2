"""The library itself, and how it is set up for running a graph and for optimising it ahead alike."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from vlm_ros.core.errors import MissingLibrary, require

ort = require("onnxruntime", "pip install onnxruntime")

_ERRORS_ONLY = 3

FITTING_BLOCKS = "-1"
"""Where all weights of a column share one scale, those products go in the largest blocks, up to 256, that fill it.

ONNX Runtime's own choice is 32, which reads eight times as many scales and takes up to twice the time; an older one
does not know this option and keeps to it. Weights with a scale for each block, as in INT4, keep their blocks.
"""

CUDA_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
"""What CUDA cannot compute the processor does."""


def check_providers(providers: Iterable[str]) -> None:
    """``MissingLibrary`` with what to install where this ONNX Runtime lacks one of ``providers``."""
    absent = [provider for provider in providers if provider not in ort.get_available_providers()]
    if absent:
        raise MissingLibrary(
            f"this ONNX Runtime {ort.__version__} has no {', '.join(absent)}, only "
            f"{', '.join(ort.get_available_providers())}: install one that has it (pip install onnxruntime-gpu in the "
            f"place of onnxruntime; on a Jetson, NVIDIA's wheel for its JetPack), or take runtime onnxruntime"
        )


def session_options(threads: int) -> Any:
    """ONNX Runtime's ``SessionOptions``; ``threads`` bounds the threads one operator may use (0: its own choice)."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between two tokens take the processor from the camera and the navigator.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weight-only quantised MatMuls then multiply in int8, several times faster than in fp32.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "4")
    options.add_session_config_entry("session.qdq_matmulnbits_block_size", FITTING_BLOCKS)
    return options
