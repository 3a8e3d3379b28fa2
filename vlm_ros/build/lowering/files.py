"""Graphs as a builder takes them, in files of their own for the time of a build."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from vlm_ros.build.external_data import external_files
from vlm_ros.build.lowering.blocks import block_model, blocks_of, largest_blocks, weight_bytes
from vlm_ros.build.lowering.functions import lowered
from vlm_ros.build.precision.onnx_library import Model
from vlm_ros.build.precision.onnx_library import onnx as library

_PIECE_BYTES = 1 << 20


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
    save = partial(_save_beside, folder=onnx.parent) if external_files(onnx) else library.save
    paths = []
    for number, block in enumerate(blocks_of(model, count)):
        paths.append(folder / f"{onnx.stem}.{number}.onnx")
        save(block_model(model, block), paths[-1])
    return paths


def _save_beside(model: Model, path: Path, *, folder: Path) -> None:
    """Put ``model``, whose weights lie in files of ``folder``, at ``path`` with a file of those that it has."""
    with path.with_name(f"{path.name}.data").open("wb") as data:
        for tensor in model.graph.initializer:
            if tensor.external_data:
                _copy_weight(tensor, folder, data)
    library.save(model, path)


def _copy_weight(tensor: Any, folder: Path, data: BinaryIO) -> None:
    """Append the bytes of ``tensor`` to ``data``, a piece at a time, and let it say so."""
    told = {entry.key: entry.value for entry in tensor.external_data}
    start, length = data.tell(), weight_bytes(tensor)
    with (folder / told["location"]).open("rb") as file:
        file.seek(int(told.get("offset", 0)))
        for done in range(0, length, _PIECE_BYTES):
            data.write(file.read(min(_PIECE_BYTES, length - done)))
    del tensor.external_data[:]
    for key, value in (("location", Path(data.name).name), ("offset", start), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def edges_of(onnx: Path) -> tuple[list[str], list[str]]:
    """The names of the inputs and of the outputs of the graph at ``onnx``, in order."""
    graph = library.load(onnx, load_external_data=False).graph
    weights = {tensor.name for tensor in graph.initializer}
    return [value.name for value in graph.input if value.name not in weights], [value.name for value in graph.output]


def largest_block_bytes(onnx: Path) -> list[int]:
    """How many bytes of weights the largest block has when the graph at ``onnx`` is cut into 1, 2, 3 and so on."""
    return largest_blocks(library.load(onnx, load_external_data=False))
