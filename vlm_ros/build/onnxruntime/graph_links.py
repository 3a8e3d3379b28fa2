"""Who makes and who reads each result of a graph."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from vlm_ros.build.precision.onnx_library import Model, Node, onnx


class Unlike(Exception):
    """The graph is built in another way."""


class GraphLinks:
    """The nodes of ``model``, and the ways between them."""

    def __init__(self, model: Model) -> None:
        self.nodes = list(model.graph.node)
        self.weights = {tensor.name: tensor for tensor in model.graph.initializer}
        self._makers = {name: node for node in self.nodes for name in node.output}
        self._readers: dict[str, list[Node]] = {}
        for node in self.nodes:
            for name in dict.fromkeys(node.input):
                self._readers.setdefault(name, []).append(node)

    def maker(self, result: str, *kinds: str) -> Node:
        """The node that makes ``result``, which is one of ``kinds``."""
        node = self._makers.get(result)
        if node is None or node.op_type not in kinds:
            raise Unlike
        return node

    def chain(self, result: str, *kinds: str) -> list[Node]:
        """The nodes of ``kinds`` that lead to ``result``, the last first, each by its first input."""
        nodes = []
        for kind in kinds:
            nodes.append(self.maker(result, kind))
            result = nodes[-1].input[0]
        return nodes

    def reader(self, result: str, *kinds: str) -> Node:
        """The only node that reads ``result``, which is one of ``kinds``."""
        readers = self.readers(result)
        if len(readers) != 1 or readers[0].op_type not in kinds:
            raise Unlike
        return readers[0]

    def readers(self, result: str) -> Sequence[Node]:
        """All nodes that read ``result``."""
        return self._readers.get(result, [])

    def before(self, result: str, start: Collection[str] = ()) -> Iterator[Node]:
        """All nodes that ``result`` follows from; what makes the results in ``start`` is left out."""
        remaining, seen = [result], set(start)
        while remaining:
            name = remaining.pop()
            node = self._makers.get(name)
            if node is not None and name not in seen:
                seen.update(node.output)
                remaining += node.input
                yield node

    def number(self, name: str) -> float:
        """The only number in the weight ``name``."""
        tensor = self.weights.get(name)
        if tensor is None or tensor.data_location == onnx.TensorProto.EXTERNAL or sum(tensor.dims) > len(tensor.dims):
            raise Unlike
        return float(onnx.numpy_helper.to_array(tensor).reshape(()))
