"""The contract of everything that runs a graph: named tensors in, named tensors out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Dimension = int | str
"""A fixed size, or the name of a dynamic one."""

Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True)
class TensorSpec:
    """One input or output of a graph."""

    name: str
    dtype: np.dtype[np.generic]
    shape: tuple[Dimension, ...]


class Runner(Protocol):
    """A graph that is loaded once and run many times, by one thread at a time.

    ``activate`` loads (``MissingEngine`` or ``BuildFailed`` where it cannot), ``deactivate`` frees
    everything; both may be called twice. ``run`` and the specs raise ``RuntimeError`` unless active; a
    missing, unknown, misshapen or mistyped input raises ``ValueError`` naming it.
    """

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The graph's inputs by name, in order; known once active."""

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The graph's outputs by name, in order; known once active."""

    def activate(self) -> None:
        """Load the graph and take the memory it needs."""

    def run(self, feeds: Tensors) -> dict[str, NDArray[np.generic]]:
        """All outputs by name for all inputs by name."""

    def deactivate(self) -> None:
        """Give back everything ``activate`` took."""
