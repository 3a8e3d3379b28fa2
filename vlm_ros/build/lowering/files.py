"""Graphs as a builder takes them, in files of their own for the time of a build."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vlm_ros.build.external_data import external_files
from vlm_ros.build.lowering.functions import lowered
from vlm_ros.build.precision.onnx_library import onnx as library


def lowered_file(onnx: Path, functions: Collection[str], folder: Path) -> Path:
    """The graph at ``onnx`` in ``folder``, with ``functions`` written out.

    Weights in files of their own are not read: links in ``folder`` lead to them.
    """
    model = library.load(onnx, load_external_data=False)
    for data in external_files(onnx):
        link = folder / data.relative_to(onnx.parent)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(data.resolve())
    path = folder / onnx.name
    library.save(lowered(model, functions, onnx.parent), path)
    return path
