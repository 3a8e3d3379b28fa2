"""What a pass adds to a graph, under names that nothing in it has: exporters may call anything anything."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from vlm_ros.build.precision.graph import Array, names_of
from vlm_ros.build.precision.onnx_library import Model, Node, onnx


class Additions:
    """Additions to ``model``, each called after a tensor that was there and what is made of it.

    The same of the same tensor has the same name whenever it is asked for, so that nodes may share it.
    """

    def __init__(self, model: Model) -> None:
        self._weights = model.graph.initializer
        self._taken = names_of(model)
        self._names: dict[tuple[str, str], str] = {}
        self._added: set[str] = set()

    def name(self, of: str, made: str) -> str:
        """What ``made`` of the tensor ``of`` is called."""
        if (of, made) not in self._names:
            name = f"{of}_{made}"
            while name in self._taken:
                name += "_"
            self._taken.add(name)
            self._names[of, made] = name
        return self._names[of, made]

    def weight(self, of: str, made: str, array: Array) -> str:
        """The name of a weight, which the graph has from now on."""
        name = self.name(of, made)
        if name not in self._added:
            self._added.add(name)
            self._weights.append(onnx.numpy_helper.from_array(array, name))
        return name

    def node(self, kind: str, inputs: Sequence[str], of: str, made: str, **attributes: Any) -> Node:
        """A node that makes ``made``, for the pass to put in its place; it is called as its result."""
        name = self.name(of, made)
        return onnx.helper.make_node(kind, inputs, [name], name=name, **attributes)
