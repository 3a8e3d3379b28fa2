"""ONNX files as networks of TensorRT."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.tensorrt.library import trt
from vlm_ros.runtime.tensorrt.log import Log

_log = logging.getLogger(__name__)
_TOLD_FAULTS = 5

_NEWER = ("Attention", "RMSNormalization", "RotaryEmbedding")
"""Operators that came with opset 23 and are made of older ones."""


@contextmanager
def parsed(onnx: Path, builder: Any, log: Log) -> Iterator[Any]:
    """The network of ``onnx`` and its external data, with the types that the graph has.

    Operators that came with opset 23 are written out where this parser does not know them. The network borrows
    the weights from the parser and is good within the ``with`` only. ``BuildFailed`` naming the layers and
    operators that this TensorRT does not take.
    """
    with tempfile.TemporaryDirectory(prefix="vlm_ros_") as folder:
        network, parser = _parse(onnx, builder, log)
        older = _in_older_operators(onnx, parser, Path(folder))
        if older is not None:
            log.reason()  # what was said of the newer operators no longer matters
            network, parser = _parse(older, builder, log)
        if parser.num_errors:
            faults = [_told(fault) for fault in _faults(parser)]
            raise BuildFailed(
                f"TensorRT {trt.__version__} cannot take '{onnx}': {_listed(faults)}. "
                "Export it with an older opset (vlm_ros export --opset 20), or update TensorRT"
            )
        yield network
        del parser


def _parse(onnx: Path, builder: Any, log: Log) -> tuple[Any, Any]:
    """A network and the parser that has filled it, or has errors."""
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, log)
    if not parser.parse_from_file(str(onnx)) and not parser.num_errors:
        raise BuildFailed(f"TensorRT {trt.__version__} cannot read '{onnx}' ({log.reason()}): export it again")
    return network, parser


def _in_older_operators(onnx: Path, parser: Any, folder: Path) -> Path | None:
    """The graph without what ``parser`` says it does not know; ``None`` where it refuses nothing, or other things."""
    refused = {fault.node_operator() for fault in _faults(parser)}
    unknown = [operator for operator in _NEWER if refused and not parser.supports_operator(operator)]
    if not refused.intersection(unknown):
        return None
    from vlm_ros.build.lowering.files import lowered_file  # brings the onnx package with it

    _log.info("TensorRT %s does not know %s: written out", trt.__version__, ", ".join(unknown))
    return lowered_file(onnx, unknown, folder)


def _faults(parser: Any) -> list[Any]:
    return [parser.get_error(index) for index in range(parser.num_errors)]


def _told(fault: Any) -> str:
    """One error of the parser, with the layer where there is one."""
    if not fault.node_operator():
        return str(fault.desc())
    return f"layer '{fault.node_name()}' ({fault.node_operator()}): {fault.desc()}"


def _listed(faults: list[str]) -> str:
    more = f"; and {len(faults) - _TOLD_FAULTS} more" if len(faults) > _TOLD_FAULTS else ""
    return "; ".join(faults[:_TOLD_FAULTS]) + more
