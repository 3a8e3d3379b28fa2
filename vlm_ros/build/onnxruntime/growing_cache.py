"""Decoders whose cache grows in place: ONNX Runtime's GroupQueryAttention instead of a copy at every token.

It takes the place of the concatenation of the cache, of causal attention and its mask, and of what moves the heads
about, whether attention is an operator or written out. Other graphs stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from vlm_ros.build.onnxruntime.attention_layer import DOMAIN, SEEN, TOTAL, AttentionLayer
from vlm_ros.build.onnxruntime.attention_operator import layer_of_operator
from vlm_ros.build.onnxruntime.graph_links import GraphLinks, Unlike
from vlm_ros.build.onnxruntime.written_attention import layer_of_softmax
from vlm_ros.build.precision.graph import drop_unused, set_nodes
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.runtime.onnxruntime.growing_cache import MARK, MASK


def grow_cache_in_place(model: Model) -> bool:
    """Change ``model`` so that its cache grows in place and say so in its metadata; whether that could be done."""
    try:
        layers = _layers(model)
    except Unlike:
        return False
    if not layers or not _is_whole_cache(model, {name for layer in layers for name in layer.past}):
        return False
    nodes = _with_layers(model, layers)
    if not _leave_cache_alone(nodes, layers):
        return False
    set_nodes(model, [*_lengths(model), *nodes])
    drop_unused(model)
    if DOMAIN not in {entry.domain for entry in model.opset_import}:
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    onnx.helper.set_model_props(model, {MARK: "1"})
    return True


def _layers(model: Model) -> list[AttentionLayer]:
    """All attention in ``model``; raises ``Unlike``."""
    links = GraphLinks(model)
    by_operator = [layer_of_operator(model, links, node) for node in links.nodes if node.op_type == "Attention"]
    return by_operator or [layer_of_softmax(model, links, node) for node in links.nodes if node.op_type == "Softmax"]


def _is_whole_cache(model: Model, names: Collection[str]) -> bool:
    """Whether ``names`` are all that is cached, in tensors of one type and size."""
    cached = [value for value in model.graph.input if value.name.startswith("past")]
    kinds = {(kind.elem_type, *(kind.shape.dim[axis].dim_value for axis in (1, 3))) for kind in map(_kind, cached)}
    return {value.name for value in cached} == set(names) and len(kinds) == 1 and 0 not in kinds.pop()


def _kind(value: Any) -> Any:
    return value.type.tensor_type


def _with_layers(model: Model, layers: Sequence[AttentionLayer]) -> list[Node]:
    """The nodes of ``model`` with ``layers`` in the place of what they do, and without what only that has read."""
    instead: dict[str, list[Node]] = {name: [] for layer in layers for name in layer.present}
    instead |= {layer.result: layer.nodes for layer in layers}
    return _needed(model, [new for node in model.graph.node for new in instead.get(node.output[0], [node])])


def _leave_cache_alone(nodes: Sequence[Node], layers: Sequence[AttentionLayer]) -> bool:
    """Whether ``nodes`` other than attention ask nothing of the cache: where it grows in place, it is longer."""
    cached = {name for layer in layers for name in (*layer.past, *layer.present)}
    results = {layer.result for layer in layers}
    readers = [node for node in nodes if not cached.isdisjoint(node.input)]
    return all(node.output[0] in results or _asks_for_batch(node) for node in readers)


def _asks_for_batch(node: Node) -> bool:
    """Whether ``node`` reads the number of sequences alone."""
    ends = {attribute.name: attribute.i for attribute in node.attribute}
    return node.op_type == "Shape" and ends.get("start", 0) == 0 and ends.get("end") == 1


def _lengths(model: Model) -> list[Node]:
    """Nodes that count, in the attention mask, the last token seen of each sequence, and all tokens."""
    one, axis = f"{SEEN}_one", f"{SEEN}_axis"
    model.graph.initializer.extend(
        [
            onnx.helper.make_tensor(one, onnx.TensorProto.INT32, [], [1]),
            onnx.helper.make_tensor(axis, onnx.TensorProto.INT64, [1], [1]),
        ]
    )
    make, int32 = onnx.helper.make_node, onnx.TensorProto.INT32
    return [
        make("Cast", [MASK], [f"{SEEN}_mask"], name=f"{SEEN}_mask", to=int32),
        make("ReduceSum", [f"{SEEN}_mask", axis], [f"{SEEN}_count"], name=f"{SEEN}_count", keepdims=0),
        make("Sub", [f"{SEEN}_count", one], [SEEN], name=SEEN),
        make("Shape", [MASK], [f"{TOTAL}_shape"], name=f"{TOTAL}_shape", start=1, end=2),
        make("Squeeze", [f"{TOTAL}_shape"], [f"{TOTAL}_long"], name=f"{TOTAL}_long"),
        make("Cast", [f"{TOTAL}_long"], [TOTAL], name=TOTAL, to=int32),
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
