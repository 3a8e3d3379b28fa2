"""ONNX graphs on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BuildFailed, MissingEngine
from vlm_ros.runtime.feeds import check_feeds
from vlm_ros.runtime.large_pages import use_large_pages
from vlm_ros.runtime.onnxruntime.bound import BoundSession
from vlm_ros.runtime.onnxruntime.growing_cache import MARK, GrowingSession, for_one_sequence
from vlm_ros.runtime.onnxruntime.library import check_providers, ort, session_options
from vlm_ros.runtime.runner import Array, Tensors, TensorSpec

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
    session: _Session
    inputs: dict[str, TensorSpec]
    outputs: dict[str, TensorSpec]


class _Session(Protocol):
    def run(self, feeds: Tensors, keep: Collection[str]) -> Mapping[str, Any]:
        """As ``Runner.run``, unchecked."""


class _PlainSession:
    """The host is its device, so that ``keep`` changes nothing."""

    def __init__(self, session: Any, outputs: Collection[str]) -> None:
        self._session = session
        self._outputs = list(outputs)

    def run(self, feeds: Tensors, keep: Collection[str]) -> dict[str, NDArray[np.generic]]:
        return dict(zip(self._outputs, self._session.run(self._outputs, dict(feeds)), strict=True))


class OnnxRuntimeRunner:
    """Runs the ONNX file at ``path``.

    ``threads`` bounds the threads one operator may use (0: ONNX Runtime's choice, the physical cores);
    ``providers`` are ONNX Runtime's execution providers, the preferred one first. ``device`` is where outputs stay
    that are to be kept, for example ``cuda``; left empty, they come to the host.
    """

    def __init__(
        self, path: Path, *, threads: int = 0, providers: Sequence[str] = ("CPUExecutionProvider",), device: str = ""
    ) -> None:
        self._path = path
        self._threads = threads
        self._providers = list(providers)
        self._device = device
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
        use_large_pages()
        inputs, outputs = self._specs(session.get_inputs()), self._specs(session.get_outputs())
        if _grows(session):
            inputs = for_one_sequence(inputs)
        self._loaded = _Loaded(self._wrapped(session, inputs, outputs), inputs, outputs)

    @overload
    def run(self, feeds: Tensors) -> Mapping[str, Array]: ...

    @overload
    def run(self, feeds: Tensors, keep: Collection[str]) -> Tensors: ...

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Tensors:
        """All outputs by name for all inputs by name; ``keep`` matters where a decoder's cache grows in place."""
        loaded = self._active()
        check_feeds(loaded.inputs, feeds)
        try:
            return loaded.session.run(feeds, keep)
        except ValueError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no base of their own
            shapes = {name: array.shape for name, array in feeds.items()}
            raise BuildFailed(
                f"'{self._path}' failed on inputs of shapes {shapes} ({error}): export it with dynamic sizes, "
                "or make room in memory"
            ) from error

    def deactivate(self) -> None:
        """Free the session."""
        self._loaded = None

    def _active(self) -> _Loaded:
        if self._loaded is None:
            raise RuntimeError(f"'{self._path}' is not active: call activate() first")
        return self._loaded

    def _wrapped(self, session: Any, inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]) -> _Session:
        if _grows(session):
            return GrowingSession(session, inputs, outputs)
        return BoundSession(session, outputs, self._device) if self._device else _PlainSession(session, outputs)

    def _open_session(self) -> Any:
        check_providers(self._providers)
        try:
            session = ort.InferenceSession(str(self._path), session_options(self._threads), providers=self._providers)
        except Exception as error:  # as in run
            raise BuildFailed(f"ONNX Runtime cannot load '{self._path}' ({error}): export or build it again") from error
        if session.get_providers()[0] != self._providers[0]:
            raise BuildFailed(
                f"ONNX Runtime has {self._providers[0]} and cannot start it: its log says which library is missing; "
                "install CUDA and cuDNN of the versions that it was built for, or take runtime onnxruntime"
            )
        return session

    def _specs(self, arguments: Sequence[Any]) -> dict[str, TensorSpec]:
        return {argument.name: self._spec(argument) for argument in arguments}

    def _spec(self, argument: Any) -> TensorSpec:
        if argument.type not in _DTYPES:
            raise BuildFailed(
                f"'{argument.name}' in '{self._path}' is a {argument.type}, unknown to NumPy: export it in another"
            )
        shape = tuple(f"{argument.name}_{axis}" if size is None else size for axis, size in enumerate(argument.shape))
        return TensorSpec(argument.name, np.dtype(_DTYPES[argument.type]), shape)


def _grows(session: Any) -> bool:
    """Whether its cache grows in place."""
    return MARK in session.get_modelmeta().custom_metadata_map
