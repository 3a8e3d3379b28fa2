"""From a part to an ONNX file."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import NamedTemporaryFile
from traceback import extract_tb, format_exception
from typing import Any, TextIO

import onnx_ir
import torch
from torch.onnx import OnnxExporterError

from vlm_ros.core.errors import ExportFailed
from vlm_ros.core.onnx_files import ONE_FILE_BYTES
from vlm_ros.export.part import Part


def write_onnx(part: Part, path: Path, opset: int) -> None:
    """Write ``part`` to ``path``, with its weights in ``<path>.data`` where they are many.

    ``ExportFailed`` with the cause where torch cannot; all that it says then is in a file.
    """
    inputs = part.draw(part.example_sizes)
    with torch.inference_mode():
        outputs = part(inputs)
    chatter = io.StringIO()
    try:
        with _set_aside(chatter), torch.no_grad():  # nor does the exporter keep what only gradients would need
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
            f"torch {torch.__version__} cannot export '{part.name}' at opset {opset} ({_cause(error)}): take a "
            "checkpoint without that, or another release of torch; all that it says is in "
            f"'{_kept(error, chatter.getvalue())}'"
        ) from error
    save(program.model, path)


def save(model: onnx_ir.Model, path: Path) -> None:
    """Write ``model`` without a trace of this machine."""
    forget_origin(model)
    weights = [value.const_value for value in model.graph.initializers.values()]
    weights_bytes = sum(weight.nbytes for weight in weights if weight is not None)
    external = f"{path.name}.data" if weights_bytes > ONE_FILE_BYTES else None
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


def _cause(error: BaseException) -> str:
    """What began it, with the line of the model's own code: the exporter wraps that in advice to its developers."""
    while error.__cause__ is not None:
        error = error.__cause__
    said = str(error).strip().partition("\n")[0]
    theirs = Path(torch.__file__).parent
    own = [frame for frame in extract_tb(error.__traceback__) if theirs not in Path(frame.filename).parents]
    where = f", at {Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line}" if own else ""
    return f"{type(error).__name__}: {said}{where}"


def _kept(error: BaseException, chatter: str) -> str:
    """The name of a new file with ``chatter`` and the whole of ``error``."""
    with NamedTemporaryFile("w", prefix="vlm_ros_export_", suffix=".log", delete=False, encoding="utf-8") as file:
        file.write(chatter + "".join(format_exception(error)))
    return file.name


@contextmanager
def _set_aside(chatter: TextIO) -> Iterator[None]:
    """What the exporter prints goes to ``chatter``: whole graphs, and advice that no user of ours can act on."""
    disabled = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stderr(chatter), redirect_stdout(chatter):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
