"""From a part to an ONNX file."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx_ir
import torch
from torch.onnx import OnnxExporterError

from vlm_ros.core.errors import ExportFailed
from vlm_ros.export.part import Part

SINGLE_FILE_LIMIT_BYTES = 1_500_000_000
"""Weights above this go to a file of their own: protobuf ends at 2 GiB."""


def write_onnx(part: Part, path: Path, opset: int) -> None:
    """Write ``part`` to ``path``, with its weights in ``<path>.data`` where they are many."""
    inputs = part.draw(part.example_sizes)
    with torch.inference_mode():
        outputs = part(inputs)
    try:
        with _without_chatter(), torch.no_grad():  # nor does the exporter keep what only gradients would need
            program: Any = torch.onnx.export(
                part,
                kwargs={"inputs": inputs},
                input_names=list(inputs),
                output_names=list(outputs),
                dynamic_shapes={"inputs": {name: dict(part.axes[name]) for name in inputs}},
                opset_version=opset,
                dynamo=True,
                verbose=False,
            )
    except OnnxExporterError as error:
        raise ExportFailed(
            f"torch {torch.__version__} cannot export '{part.name}' at opset {opset}: {error}"
        ) from error
    save(program.model, path)


def save(model: onnx_ir.Model, path: Path) -> None:
    """Write ``model`` without a trace of this machine."""
    forget_origin(model)
    weights = [value.const_value for value in model.graph.initializers.values()]
    weights_bytes = sum(weight.nbytes for weight in weights if weight is not None)
    external = f"{path.name}.data" if weights_bytes > SINGLE_FILE_LIMIT_BYTES else None
    onnx_ir.save(model, path, external_data=external)


def forget_origin(model: onnx_ir.Model) -> None:
    """Drop what the exporter notes about this machine: stack traces, file paths, module names."""
    for thing in (model, model.graph):
        thing.metadata_props.clear()
        thing.doc_string = None
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
        for value in (*node.inputs, *node.outputs):
            if value is not None:
                value.metadata_props.clear()


@contextmanager
def _without_chatter() -> Iterator[None]:
    """The exporter warns of optional libraries and deprecations that no user of ours can act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
