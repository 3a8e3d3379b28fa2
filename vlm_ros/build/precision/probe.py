"""What the layers of a graph give, and not only the last one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from vlm_ros.build.precision.files import write_model
from vlm_ros.build.precision.graph import Array, Feeds, copy_of
from vlm_ros.build.precision.onnx_library import Model, onnx
from vlm_ros.runtime.onnxruntime.library import ort, session_options

_LAYERS_AT_ONCE = 128
"""So many results are held in memory at the same time."""


class Probe:
    """Runs ``model`` operator by operator, nothing fused, and gives the results called ``names``."""

    def __init__(self, model: Model, names: Sequence[str]) -> None:
        self._names = list(names)
        self._session = _session(_with_outputs(model, self._names))
        self._inputs = {argument.name: argument.type for argument in self._session.get_inputs()}

    def run(self, feeds: Feeds) -> dict[str, Array]:
        """The results by name; floats among ``feeds`` are cast to what the graph takes."""
        fitted = {name: _fitted(feeds[name], kind) for name, kind in self._inputs.items()}
        return dict(zip(self._names, self._session.run(self._names, fitted), strict=True))


def layer_names(model: Model) -> list[str]:
    """What the nodes of ``model`` give, in the order of the graph."""
    return [name for node in model.graph.node for name in node.output if name]


def result_types(model: Model, names: Sequence[str]) -> dict[str, str]:
    """What ONNX Runtime calls the types of the results called ``names``."""
    if not names:
        return {}
    return {argument.name: argument.type for argument in _session(_with_outputs(model, names)).get_outputs()}


def in_groups(names: Sequence[str]) -> Iterator[Sequence[str]]:
    """``names``, so many at a time as may be probed at once."""
    for start in range(0, len(names), _LAYERS_AT_ONCE):
        yield names[start : start + _LAYERS_AT_ONCE]


def _fitted(array: Array, kind: str) -> Array:
    return array.astype("float16") if kind == "tensor(float16)" else array


def _with_outputs(model: Model, names: Sequence[str]) -> Model:
    exposed = copy_of(model)
    del exposed.graph.output[:]
    exposed.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in names)
    return exposed


def _session(model: Model) -> Any:
    options = session_options(threads=1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    with tempfile.TemporaryDirectory(prefix="vlm_ros_") as folder:
        path = Path(folder) / "probed.onnx"
        write_model(model, path)
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
