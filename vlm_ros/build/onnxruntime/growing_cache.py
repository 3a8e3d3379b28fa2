"""Decoders whose cache grows in place: ONNX Runtime's GroupQueryAttention instead of a copy at every token.

It takes the place of the concatenation of the cache, of causal attention and its mask, and of what moves the heads
about, whether attention is an operator or written out. Other graphs stay as they are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from vlm_ros.build.onnxruntime.attention_layer import DOMAIN, SEEN, TOTAL, AttentionLayer
from vlm_ros.build.onnxruntime.attention_operator import layer_of_operator
from vlm_ros.build.onnxruntime.graph_links import GraphLinks, Unlike
from vlm_ros.build.onnxruntime.written_attention import layer_of_softmax
from vlm_ros.build.precision.graph import drop_unused, opset_of, set_nodes
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.runtime.onnxruntime.growing_cache import MARK, MASK

_OLDEST_OPSET = 15
"""Since when Shape gives some sizes only, as the nodes that count tokens need."""


def grow_cache_in_place(model: Model) -> bool:
    """Change ``model`` so that its cache grows in place and say so in its metadata; whether that could be done."""
    try:
        layers = _layers(model)
    except Unlike:
        return False
    cached = [name for layer in layers for name in layer.past]
    if not layers or not _are_alike(model, cached):
        return False
    nodes = _with_layers(model, layers)
    if _others_read_cache(model, nodes, layers):
        return False
    set_nodes(model, [*_lengths(model), *nodes])
    drop_unused(model)
    _drop_caches_but(model, cached)
    if DOMAIN not in {entry.domain for entry in model.opset_import}:
        model.opset_import.append(onnx.helper.make_opsetid(DOMAIN, 1))
    onnx.helper.set_model_props(model, {MARK: "1"})
    return True


def _layers(model: Model) -> list[AttentionLayer]:
    """All attention in ``model``; raises ``Unlike``."""
    inner = any(
        attribute.HasField("g") or attribute.graphs for node in model.graph.node for attribute in node.attribute
    )
    if inner or opset_of(model) < _OLDEST_OPSET:  # graphs within nodes may read anything
        raise Unlike
    links = GraphLinks(model)
    by_operator = [layer_of_operator(model, links, node) for node in links.nodes if node.op_type == "Attention"]
    return by_operator or [layer_of_softmax(model, links, node) for node in links.nodes if node.op_type == "Softmax"]


def _are_alike(model: Model, names: Collection[str]) -> bool:
    """Whether ``names`` are inputs, none twice, of one type and size."""
    kinds = [value.type.tensor_type for value in model.graph.input if value.name in names]
    sizes = {(kind.elem_type, *(kind.shape.dim[axis].dim_value for axis in (1, 3))) for kind in kinds}
    return len(kinds) == len(names) and len(sizes) == 1 and 0 not in sizes.pop()


def _with_layers(model: Model, layers: Sequence[AttentionLayer]) -> list[Node]:
    """The nodes of ``model`` with ``layers`` in the place of what they do, and without what only that has read."""
    instead: dict[str, list[Node]] = {name: [] for layer in layers for name in layer.present}
    instead |= {layer.result: layer.nodes for layer in layers}
    nodes = [new for node in model.graph.node for new in instead.get(node.output[0], [node])]
    return _needed(model, [_asking_mask(node) if _asks_for_batch(model, node) else node for node in nodes])


def _asks_for_batch(model: Model, node: Node) -> bool:
    """Whether ``node`` reads of a cache how many sequences there are."""
    ends = {attribute.name: attribute.i for attribute in node.attribute}
    is_first_size = node.op_type == "Shape" and ends.get("start", 0) == 0 and ends.get("end") == 1
    return is_first_size and node.input[0] in _caches(model)


def _asking_mask(node: Node) -> Node:
    """``node``, which reads the same of the mask."""
    asking = onnx.NodeProto()
    asking.CopyFrom(node)
    asking.input[0] = MASK
    return asking


def _others_read_cache(model: Model, nodes: Sequence[Node], layers: Sequence[AttentionLayer]) -> bool:
    """Whether a node other than attention reads a cache: where it grows in place, it is longer."""
    cached = {*_caches(model), *(name for layer in layers for name in layer.present)}
    results = {layer.result for layer in layers}
    return any(not cached.isdisjoint(node.input) and node.output[0] not in results for node in nodes)


def _caches(model: Model) -> set[str]:
    return {value.name for value in model.graph.input if value.name.startswith("past")}


def _drop_caches_but(model: Model, names: Collection[str]) -> None:
    """Take out inputs for other caches: a block of layers asked some of the others how long they are."""
    unread = _caches(model).difference(names)
    kept = [value for value in model.graph.input if value.name not in unread]
    del model.graph.input[:]
    model.graph.input.extend(kept)


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
