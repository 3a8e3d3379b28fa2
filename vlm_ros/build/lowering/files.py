"""Graphs as a builder takes them, in files of their own for the time of a build."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from vlm_ros.build.external_data import external_files
from vlm_ros.build.lowering.blocks import block_model, blocks_of, largest_blocks
from vlm_ros.build.lowering.functions import lowered
from vlm_ros.build.precision.onnx_library import INSTALL
from vlm_ros.build.precision.onnx_library import onnx as library
from vlm_ros.core.errors import require


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


def write_blocks(onnx: Path, count: int, folder: Path) -> list[Path]:
    """The decoder at ``onnx`` in ``count`` blocks of layers, the first one first, as files in ``folder``.

    ``BuildFailed`` where it cannot be cut. Weights that lie in files of their own are copied to such files.
    """
    model = library.load(onnx, load_external_data=False)
    is_external = bool(external_files(onnx))
    ir = require("onnx_ir", INSTALL)
    paths = []
    for number, block in enumerate(blocks_of(model, count)):
        paths.append(folder / f"{onnx.stem}.{number}.onnx")
        part = ir.from_proto(block_model(model, block))
        ir.external_data.set_base_dir(part.graph, onnx.parent)
        ir.save(part, paths[-1], external_data=f"{paths[-1].name}.data" if is_external else None)
    return paths


def edges_of(onnx: Path) -> tuple[list[str], list[str]]:
    """The names of the inputs and of the outputs of the graph at ``onnx``, in order."""
    graph = library.load(onnx, load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in weights], [value.name for value in graph.output]


def largest_block_bytes(onnx: Path) -> list[int]:
    """How many bytes of weights the largest block has when the graph at ``onnx`` is cut into 1, 2, 3 and so on."""
    return largest_blocks(library.load(onnx, load_external_data=False))
