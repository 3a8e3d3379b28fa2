"""Decoders whose cache grows in place: ONNX Runtime's GroupQueryAttention instead of a copy at every token.

It takes the place of rotary embedding's transposes, the concatenation of the cache, causal attention and its
mask, in graphs of opset 23 and later. Other graphs stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from vlm_ros.build.precision.graph import drop_unused, set_nodes
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.runtime.onnxruntime.growing_cache import MARK, MASK

_DOMAIN = "com.microsoft"
_COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or", "Where")
_CAUSAL = ["LessOrEqual"]
"""What a mask compares that lets every token see itself and all before it; a sliding window compares more."""

_SEEN, _TOTAL = "cache_seen", "cache_total"


class _Unlike(Exception):
    """The graph is built in another way."""


@dataclass(frozen=True)
class _Layer:
    """Attention in one layer: what goes into it, what comes out, and the nodes in between."""

    attention: Node
    rotations: tuple[Node, Node]
    sources: tuple[str, str, str]
    past: tuple[str, str]
    result: str

    @property
    def replacement(self) -> list[Node]:
        """Nodes that do the same on the cache itself."""
        rotated = [_rotation(node, source) for node, source in zip(self.rotations, self.sources[:2], strict=True)]
        heads = [_attribute(node, "num_heads") for node in self.rotations]
        inputs = [*(node.output[0] for node in rotated), self.sources[2], *self.past, _SEEN, _TOTAL]
        node = onnx.helper.make_node(
            "GroupQueryAttention",
            inputs,
            [self.result, *self.attention.input[1:3]],
            name=f"{self.result}_attention",
            domain=_DOMAIN,
            num_heads=heads[0],
            kv_num_heads=heads[1],
            **_given(self.attention, ("scale", "softcap")),
        )
        return [*rotated, node]


class _Graph:
    """Who makes and who reads each result."""

    def __init__(self, model: Model) -> None:
        self.nodes = list(model.graph.node)
        self._makers = {name: node for node in self.nodes for name in node.output}

    def chain(self, result: str, *kinds: str) -> list[Node]:
        """The nodes of ``kinds`` that lead to ``result``, the last first, each by its first input."""
        nodes = []
        for kind in kinds:
            node = self._makers.get(result)
            if node is None or node.op_type != kind:
                raise _Unlike
            nodes.append(node)
            result = node.input[0]
        return nodes

    def reader(self, result: str, kind: str) -> Node:
        """The only node that reads ``result``."""
        readers = [node for node in self.nodes if result in node.input]
        if [node.op_type for node in readers] != [kind]:
            raise _Unlike
        return readers[0]

    def before(self, result: str) -> Iterator[Node]:
        """All nodes that ``result`` follows from."""
        remaining, seen = [result], set()
        while remaining:
            node = self._makers.get(remaining.pop())
            if node is not None and node.output[0] not in seen:
                seen.add(node.output[0])
                remaining += node.input
                yield node


def grow_cache_in_place(model: Model) -> bool:
    """Change ``model`` so that its cache grows in place and say so in its metadata; whether that could be done."""
    graph = _Graph(model)
    attentions = [node for node in graph.nodes if node.op_type == "Attention"]
    try:
        layers = [_layer(graph, node) for node in attentions]
    except _Unlike:
        return False
    if not layers or not _is_whole_cache(model, {name for layer in layers for name in layer.past}):
        return False
    instead: dict[str, list[Node]] = {name: [] for layer in layers for name in layer.attention.input[1:3]}
    instead |= {layer.result: layer.replacement for layer in layers}
    nodes = [new for node in graph.nodes for new in instead.get(node.output[0], [node])]
    set_nodes(model, _needed(model, [*_lengths(model), *nodes]))
    drop_unused(model)
    model.opset_import.append(onnx.helper.make_opsetid(_DOMAIN, 1))
    onnx.helper.set_model_props(model, {MARK: "1"})
    return True


def _is_whole_cache(model: Model, names: Collection[str]) -> bool:
    """Whether ``names`` are all that is cached, in tensors of one type and size."""
    cached = [value for value in model.graph.input if value.name.startswith("past")]
    if {value.name for value in cached} != set(names):  # states of layers without attention do not grow
        return False
    kinds = {(kind.elem_type, *(kind.shape.dim[axis].dim_value for axis in (1, 3))) for kind in map(_kind, cached)}
    return len(kinds) == 1 and 0 not in kinds.pop()


def _kind(value: Any) -> Any:
    return value.type.tensor_type


def _layer(graph: _Graph, attention: Node) -> _Layer:
    """The layer of ``attention``; raises ``_Unlike``."""
    if len(attention.input) != 4:
        raise _Unlike
    query, keys, values, mask = attention.input
    compared = sorted(node.op_type for node in graph.before(mask) if node.op_type in _COMPARISONS)
    if compared != _CAUSAL:
        raise _Unlike
    (key_join,), (value_join,) = graph.chain(keys, "Concat"), graph.chain(values, "Concat")
    query_turn, _, query_shape = graph.chain(query, "RotaryEmbedding", "Transpose", "Reshape")
    key_turn, _, key_shape = graph.chain(key_join.input[1], "RotaryEmbedding", "Transpose", "Reshape")
    _, value_shape = graph.chain(value_join.input[1], "Transpose", "Reshape")
    if not all(_attribute(node, "num_heads") for node in (query_turn, key_turn)):
        raise _Unlike
    result = graph.reader(graph.reader(attention.output[0], "Transpose").output[0], "Reshape").output[0]
    sources = (query_shape.input[0], key_shape.input[0], value_shape.input[0])
    return _Layer(attention, (query_turn, key_turn), sources, (key_join.input[0], value_join.input[0]), result)


def _rotation(node: Node, source: str) -> Node:
    """Rotary embedding as in ``node``, of heads side by side."""
    turned = onnx.NodeProto()
    turned.CopyFrom(node)
    turned.input[0], turned.output[0] = source, f"{node.output[0]}_side_by_side"
    return turned


def _lengths(model: Model) -> list[Node]:
    """Nodes that count, in the attention mask, the last token seen of each sequence, and all tokens."""
    one, axis = f"{_SEEN}_one", f"{_SEEN}_axis"
    model.graph.initializer.extend(
        [
            onnx.helper.make_tensor(one, onnx.TensorProto.INT32, [], [1]),
            onnx.helper.make_tensor(axis, onnx.TensorProto.INT64, [1], [1]),
        ]
    )
    make, int32 = onnx.helper.make_node, onnx.TensorProto.INT32
    return [
        make("Cast", [MASK], [f"{_SEEN}_mask"], name=f"{_SEEN}_mask", to=int32),
        make("ReduceSum", [f"{_SEEN}_mask", axis], [f"{_SEEN}_count"], name=f"{_SEEN}_count", keepdims=0),
        make("Sub", [f"{_SEEN}_count", one], [_SEEN], name=_SEEN),
        make("Shape", [MASK], [f"{_TOTAL}_shape"], name=f"{_TOTAL}_shape", start=1, end=2),
        make("Squeeze", [f"{_TOTAL}_shape"], [f"{_TOTAL}_long"], name=f"{_TOTAL}_long"),
        make("Cast", [f"{_TOTAL}_long"], [_TOTAL], name=_TOTAL, to=int32),
    ]


def _needed(model: Model, nodes: Sequence[Node]) -> list[Node]:
    """Those of ``nodes`` that an output of ``model`` follows from."""
    wanted = {output.name for output in model.graph.output}
    kept = []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _attribute(node: Node, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)


def _given(node: Node, names: Sequence[str]) -> dict[str, float]:
    return {attribute.name: attribute.f for attribute in node.attribute if attribute.name in names}
