"""ONNX files of any size, read and written whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlm_ros.build.precision.onnx_library import Model, onnx
from vlm_ros.core.errors import BadBundle, BuildFailed

ONE_FILE_BYTES = 1_500_000_000
"""Graphs with more weights keep them in ``<name>.data``: a protocol buffer ends at 2 GiB."""


def read_model(path: Path, *, external: bool = True) -> Model:
    """The graph at ``path`` with its weights, those beside it only if ``external``; ``BadBundle`` where it is none."""
    try:
        return onnx.load(path, load_external_data=external)
    except Exception as error:  # protobuf's errors have no base of their own
        raise BadBundle(f"'{path}' is not a whole ONNX file ({error}): export or copy it again") from error


def write_model(model: Model, path: Path, one_file_bytes: int = ONE_FILE_BYTES) -> None:
    """Put ``model`` at ``path`` in one step; ``BuildFailed`` where that cannot be written.

    Weights in a file of their own come first, while no graph names them: whatever happens, the graph
    at ``path`` is whole or not there. ``model`` loses its weights to that file.
    """
    try:
        with _folder_beside(path) as folder:
            _save(model, folder / path.name, one_file_bytes)
            path.unlink(missing_ok=True)
            for file in sorted(folder.iterdir(), key=lambda file: file.name == path.name):
                file.replace(path.parent / file.name)
    except OSError as error:
        raise BuildFailed(
            f"cannot write '{path}' ({error}): make room, or copy the model to a folder that can be written"
        ) from error


def _save(model: Model, path: Path, one_file_bytes: int) -> None:
    data = path.with_name(f"{path.name}.data")
    external = weights_bytes(model) > one_file_bytes
    onnx.save_model(model, path, save_as_external_data=external, location=data.name if external else None)
    for file in (path, data):
        if file.exists():
            with file.open("rb") as opened:
                os.fsync(opened.fileno())


def weights_bytes(model: Model) -> int:
    """How many bytes the weights of ``model`` take."""
    return sum(len(tensor.raw_data) or tensor.ByteSize() for tensor in model.graph.initializer)


@contextmanager
def _folder_beside(path: Path) -> Iterator[Path]:
    folder = path.with_name(f".{path.name}.{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
