"""ONNX files of any size, read and written whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from vlm_ros.build.external_data import external_files
from vlm_ros.build.precision.graph import all_tensors
from vlm_ros.build.precision.onnx_library import Model, onnx
from vlm_ros.build.precision.sizes import tensor_bytes
from vlm_ros.core.errors import BadBundle, BuildFailed
from vlm_ros.core.onnx_files import ONE_FILE_BYTES


def read_model(path: Path, *, external: bool = True) -> Model:
    """The graph at ``path`` with its weights, those beside it only if ``external``; ``BadBundle`` where it is none."""
    beside = external_files(path) if external else ()
    try:
        model = onnx.load(path, load_external_data=False)
        if beside:
            _take_weights(model, path.parent)
        return model
    except Exception as error:  # protobuf's errors have no base of their own
        raise BadBundle(f"'{path}' is not a whole ONNX file ({error}): export or copy it again") from error


def _take_weights(model: Model, folder: Path) -> None:
    """Move the weights that lie in files of ``folder`` into ``model``; ``ValueError`` where such a file is too short.

    The package's own reader takes no links, and in the hub's cache every file is one.
    """
    for tensor in all_tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        told = {entry.key: entry.value for entry in tensor.external_data}
        size = int(told.get("length", tensor_bytes(tensor.data_type, tensor.dims)))
        with (folder / told["location"]).open("rb") as file:
            file.seek(int(told.get("offset", 0)))
            tensor.raw_data = file.read(size)
        if len(tensor.raw_data) < size:
            raise ValueError(f"'{told['location']}' ends within the weight '{tensor.name}'")
        tensor.data_location = onnx.TensorProto.DEFAULT
        del tensor.external_data[:]


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
