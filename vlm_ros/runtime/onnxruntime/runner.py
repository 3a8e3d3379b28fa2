"""ONNX graphs on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BuildFailed, MissingEngine, require
from vlm_ros.runtime.feeds import check_feeds
from vlm_ros.runtime.runner import Tensors, TensorSpec

ort = require("onnxruntime", "pip install onnxruntime")

_ERRORS_ONLY = 3

_DTYPES = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(int16)": np.int16,
    "tensor(int8)": np.int8,
    "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}


@dataclass(frozen=True)
class _Loaded:
    session: Any
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


def session_options(threads: int) -> Any:
    """ONNX Runtime's ``SessionOptions``, the same for running a graph and for optimising it ahead."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = _ERRORS_ONLY
    # Threads that spin between two tokens take the processor from the camera and the navigator.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Weight-only quantised MatMuls then multiply in int8, several times faster than in fp32.
    options.add_session_config_entry("session.qdq_matmulnbits_accuracy_level", "4")
    return options


class OnnxRuntimeRunner:
    """Runs the ONNX file at ``path``.

    ``threads`` bounds the threads one operator may use (0: ONNX Runtime's choice, the physical cores);
    ``providers`` are ONNX Runtime's execution providers, the preferred one first.
    """

    def __init__(self, path: Path, *, threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",)) -> None:
        self._path = path
        self._threads = threads
        self._providers = list(providers)
        self._loaded: _Loaded | None = None

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The graph's inputs by name, in order; ``RuntimeError`` unless active."""
        return self._active().inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The graph's outputs by name, in order; ``RuntimeError`` unless active."""
        return self._active().outputs

    def activate(self) -> None:
        """Load the graph; ``MissingEngine`` where there is no file, ``BuildFailed`` where it cannot be used."""
        if self._loaded is not None:
            return
        if not self._path.is_file():
            raise MissingEngine(f"there is no graph at '{self._path}': build the model again, or correct the path")
        session = self._open_session()
        self._loaded = _Loaded(session, self._specs(session.get_inputs()), self._specs(session.get_outputs()))

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> dict[str, NDArray[np.generic]]:
        """All outputs by name for all inputs by name; the host is their device, so that ``keep`` changes nothing."""
        loaded = self._active()
        check_feeds(loaded.inputs, feeds)
        try:
            results = loaded.session.run(list(loaded.outputs), dict(feeds))
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            shapes = {name: array.shape for name, array in feeds.items()}
            raise RuntimeError(f"'{self._path}' failed on inputs of shapes {shapes}: {error}") from error
        return dict(zip(loaded.outputs, results, strict=True))

    def deactivate(self) -> None:
        """Free the session."""
        self._loaded = None

    def _active(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError(f"'{self._path}' is not active: call activate() first")
        return self._loaded

    def _open_session(self) -> Any:
        absent = sorted(set(self._providers) - set(ort.get_available_providers()))
        if absent:
            raise BuildFailed(
                f"this ONNX Runtime has no {', '.join(absent)}: use one of {ort.get_available_providers()}"
            )
        try:
            return ort.InferenceSession(str(self._path), session_options(self._threads), providers=self._providers)
        except Exception as error:  # as in run
            raise BuildFailed(f"ONNX Runtime cannot load '{self._path}' ({error}): export or build it again") from error

    def _specs(self, arguments: Sequence[Any]) -> dict[str, TensorSpec]:
        return {argument.name: self._spec(argument) for argument in arguments}

    def _spec(self, argument: Any) -> TensorSpec:
        if argument.type not in _DTYPES:
            raise BuildFailed(
                f"'{argument.name}' in '{self._path}' is a {argument.type}, unknown to NumPy: export it in another"
            )
        shape = tuple(f"{argument.name}_{axis}" if size is None else size for axis, size in enumerate(argument.shape))
        return TensorSpec(argument.name, np.dtype(_DTYPES[argument.type]), shape)
