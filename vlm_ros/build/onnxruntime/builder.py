"""Engines for ONNX Runtime: the graph as its optimiser leaves it, so that loading need not optimise again."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from vlm_ros.build.builder import UNWATCHED, Watch
from vlm_ros.build.device import cpu_name
from vlm_ros.build.external_data import external_files, total_bytes
from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.onnxruntime.library import ort, session_options

_ONE_FILE_BYTES = 1 << 30
"""A protocol buffer ends at 2 GiB: graphs with more weights than half of that get a file for them.

So do those that come with one: the engine would name it, and not find it where it lies itself.
"""


class OnnxRuntimeBuilder:
    """Optimises for the processor of this device, up to data layouts that only such a processor has.

    ``threads`` bounds the threads that fold constants (0: ONNX Runtime's choice).
    """

    def __init__(self, *, threads: int = 0) -> None:
        self._threads = threads

    @property
    def runtime(self) -> str:
        """ONNX Runtime and its version: another version may neither read nor choose the same."""
        return f"onnxruntime {ort.__version__}"

    @property
    def device(self) -> str:
        """The processor."""
        return cpu_name()

    @property
    def shapes(self) -> str:
        """Every shape the graph allows; and how its weights, and the caches of decoders, are laid out."""
        return "dynamic, fitting blocks" + (", growing cache in every opset" if _knows_onnx() else "")

    @property
    def batch(self) -> int:
        """One: every graph takes as many as it says."""
        return 1

    @property
    def portable(self) -> str:
        """Only here."""
        return "no"

    def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
        """Write the optimised ``onnx`` to ``engine`` in one go; ``BuildFailed`` with ONNX Runtime's reason."""
        options = session_options(self._threads)
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.optimized_model_filepath = str(engine)
        if external_files(onnx) or total_bytes(onnx) > _ONE_FILE_BYTES:
            name = "session.optimized_model_external_initializers_file_name"
            options.add_session_config_entry(name, f"{engine.name}.data")
        try:
            with TemporaryDirectory(dir=engine.parent) as folder:
                source = _growing(onnx, Path(folder)) or onnx
                ort.InferenceSession(str(source), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            raise BuildFailed(
                f"ONNX Runtime cannot optimise '{onnx}' ({error}): export the model again, "
                f"or make room in memory and on the disk of '{engine.parent}'"
            ) from error


def _growing(onnx: Path, folder: Path) -> Path | None:
    """``onnx`` with a cache that grows in place, in ``folder``; ``None`` where it has none or is laid out otherwise.

    Nor can that be done without the onnx package, or with weights beside the graph on another disk.
    """
    if not _knows_onnx():
        return None
    from vlm_ros.build.onnxruntime.growing_cache import grow_cache_in_place
    from vlm_ros.build.precision.files import read_model, write_model

    model = read_model(onnx, external=False)
    if not grow_cache_in_place(model) or not _linked(onnx, folder):
        return None
    path = folder / onnx.name
    write_model(model, path)
    return path


def _linked(onnx: Path, folder: Path) -> bool:
    """Put the weights beside ``onnx`` into ``folder`` too, without copying them; whether the disk can do that."""
    try:
        for file in external_files(onnx):
            place = folder / file.relative_to(onnx.parent)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(file.resolve(), place)  # a link to a link, as in the hub's cache, would lead nowhere from here
    except OSError:
        return False
    return True


def _knows_onnx() -> bool:
    return find_spec("onnx") is not None
