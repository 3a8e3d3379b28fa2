"""A runner whose graph is a Python function: the deterministic twin of the real ones, for tests."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from vlm_ros.runtime.feeds import check_feeds
from vlm_ros.runtime.runner import Tensors, TensorSpec

Graph = Callable[[Tensors], Mapping[str, NDArray[np.generic]]]
"""What a toy graph computes: outputs by name for inputs by name."""


class FakeRunner:
    """Runs ``graph`` behind the same checks and the same life as a runner of a vendor library."""

    def __init__(self, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], graph: Graph) -> None:
        self._inputs = {spec.name: spec for spec in inputs}
        self._outputs = {spec.name: spec for spec in outputs}
        self._graph = graph
        self._active = False

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The graph's inputs by name, in order; ``RuntimeError`` unless active."""
        self._check_active()
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The graph's outputs by name, in order; ``RuntimeError`` unless active."""
        self._check_active()
        return self._outputs

    def activate(self) -> None:
        """Let the graph run."""
        self._active = True

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> dict[str, NDArray[np.generic]]:
        """The function's outputs, in the order and types of their specs; ``keep`` changes nothing."""
        self._check_active()
        check_feeds(self._inputs, feeds)
        results = self._graph(feeds)
        return {name: np.asarray(results[name], spec.dtype) for name, spec in self._outputs.items()}

    def deactivate(self) -> None:
        """Let the graph run no more."""
        self._active = False

    def _check_active(self) -> None:
        if not self._active:
            raise RuntimeError("this fake graph is not active: call activate() first")
