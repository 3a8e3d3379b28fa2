"""What in a decoder graph follows from what, and where it passes from one layer to the next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Any

from vlm_ros.build.precision.onnx_library import Model, Node

_CACHED = ("past_key_values.", "past_conv.", "past_recurrent.", "present.", "present_conv.", "present_recurrent.")

_SHAPES_ONLY = {"Shape", "Size"}
"""Operators whose results depend on how large a tensor is, not on what it holds."""


def layer_of(name: str) -> int:
    """The layer whose key, value or state ``name`` is; -1 where it is none of these."""
    for prefix in _CACHED:
        number = name[len(prefix) :].partition(".")[0] if name.startswith(prefix) else ""
        if number.isdigit():
            return int(number)
    return -1


class Flow:
    """The nodes of a graph by the values they make, and how deep in the layers each value lies."""

    def __init__(self, model: Model) -> None:
        self.nodes: list[Node] = list(model.graph.node)
        self.maker = {name: node for node in self.nodes for name in node.output if name}
        self.inputs = {value.name for value in model.graph.input}
        self.outputs = [value.name for value in model.graph.output]
        self.layers = 1 + max((layer_of(value.name) for value in model.graph.input), default=-1)
        self.depth: dict[str, int] = {value.name: layer_of(value.name) for value in model.graph.input}
        for node in self.nodes:
            depth = -1
            if node.op_type not in _SHAPES_ONLY:
                depth = max((self.depth.get(name, -1) for name in inputs_of(node)), default=-1)
            self.depth.update(dict.fromkeys(node.output, depth))

    def needed(self, wanted: Iterable[str], given: Collection[str] = ()) -> set[str]:
        """All values that ``wanted`` follow from, themselves included, where ``given`` need not be made."""
        seen: set[str] = set()
        waiting = list(wanted)
        while waiting:
            name = waiting.pop()
            if name in seen:
                continue
            seen.add(name)
            if name in self.maker and name not in given:
                waiting.extend(inputs_of(self.maker[name]))
        return seen

    def passage(self, layer: int) -> str | None:
        """The last value through which alone all that layers up to ``layer`` have found reaches the later ones.

        ``None`` where it takes several.
        """
        later = [name for name in self.outputs if not 0 <= layer_of(name) <= layer]
        needed = self.needed(later)
        candidates = (name for node in reversed(self.nodes) for name in node.output if self.depth[name] == layer)
        return next((name for name in candidates if name in needed and self._parts(name, later, layer)), None)

    def _parts(self, name: str, later: list[str], layer: int) -> bool:
        """Whether nothing that the layers up to ``layer`` have found reaches ``later`` but through ``name``."""
        follows = self._following(name)
        reached = self.needed(later, {name})
        return all(value in follows for value in reached if value in self.maker and 0 <= self.depth[value] <= layer)

    def _following(self, name: str) -> set[str]:
        """``name`` and all values that follow from it."""
        follows = {name}
        for node in self.nodes:
            if not follows.isdisjoint(inputs_of(node)):
                follows.update(node.output)
        return follows


def inputs_of(node: Node) -> Iterator[str]:
    """What ``node`` reads, the graphs within it included."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from _inputs_within(graph)


def _inputs_within(graph: Any) -> Iterator[str]:
    for node in graph.node:
        yield from inputs_of(node)
    yield from (value.name for value in graph.output)
