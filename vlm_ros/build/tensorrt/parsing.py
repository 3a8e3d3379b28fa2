"""ONNX files as networks of TensorRT."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.tensorrt.library import trt
from vlm_ros.runtime.tensorrt.log import Log

_TOLD_FAULTS = 5


@contextmanager
def parsed(onnx: Path, builder: Any, log: Log) -> Iterator[Any]:
    """The network of ``onnx`` and its external data, with the types that the graph has.

    It borrows the weights from the parser and is good within the ``with`` only. ``BuildFailed`` naming the
    layers and operators that this TensorRT does not take.
    """
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)):
        faults = [_told(parser.get_error(index)) for index in range(parser.num_errors)]
        raise BuildFailed(
            f"TensorRT {trt.__version__} cannot take '{onnx}': {_listed(faults) or log.reason()}. "
            "Export it with an older opset (vlm_ros export --opset 20), or update TensorRT"
        )
    yield network
    del parser


def _told(fault: Any) -> str:
    """One error of the parser, with the layer where there is one."""
    if not fault.node_operator():
        return str(fault.desc())
    return f"layer '{fault.node_name()}' ({fault.node_operator()}): {fault.desc()}"


def _listed(faults: list[str]) -> str:
    more = f"; and {len(faults) - _TOLD_FAULTS} more" if len(faults) > _TOLD_FAULTS else ""
    return "; ".join(faults[:_TOLD_FAULTS]) + more
