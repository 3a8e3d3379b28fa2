"""The contract of everything that runs a graph: named tensors in, named tensors out."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, overload

import numpy as np
from numpy.typing import NDArray

Dimension = int | str
"""A fixed size, or the name of a dynamic one."""


class DeviceTensor(Protocol):
    """A tensor in the memory of a device. The runner that gave it reads it as a feed without moving it.

    Nobody writes into it, so that any number of runs may start from it; ``np.asarray`` copies it to the host.
    """

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The type of its elements."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Its size along each axis."""

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        """Its elements, copied to the host."""


Array = NDArray[np.generic]

Tensors = Mapping[str, Array | DeviceTensor]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph; ``largest`` is the largest shape of an input where the engine sets a limit."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[Dimension, ...]
    largest: tuple[int, ...] | None = None


class Runner(Protocol):
    """A graph that is loaded once and run many times, by one thread at a time.

    ``activate`` loads (``MissingEngine`` or ``BuildFailed`` where it cannot), ``deactivate`` frees
    everything; both may be called twice. ``run`` and the specs raise ``RuntimeError`` unless active; a
    missing, unknown, misshapen or mistyped input raises ``ValueError`` naming it, and a graph that fails on inputs
    that it says to take, ``BuildFailed``.
    """

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The graph's inputs by name, in order; known once active."""

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The graph's outputs by name, in order; known once active."""

    def activate(self) -> None:
        """Load the graph and take the memory it needs."""

    @overload
    def run(self, feeds: Tensors) -> Mapping[str, Array]: ...

    @overload
    def run(self, feeds: Tensors, keep: Collection[str]) -> Tensors: ...

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Tensors:
        """All outputs by name for all inputs by name.

        Outputs named in ``keep`` may stay on the device, as a ``DeviceTensor``; all others are arrays.
        """

    def deactivate(self) -> None:
        """Give back everything ``activate`` took."""
