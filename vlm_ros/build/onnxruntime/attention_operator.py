"""Attention as exporters write it from opset 23 on: an operator, fed by the operator for rotary embedding.

Who sees whom, and which heads share keys, is seen by running it, as where attention is written out.
"""

from __future__ import annotations

from collections.abc import Sequence

from vlm_ros.build.onnxruntime.attention_layer import AttentionLayer
from vlm_ros.build.onnxruntime.attention_trial import AttentionTrial
from vlm_ros.build.onnxruntime.cache_join import REPEATED, joined
from vlm_ros.build.onnxruntime.graph_links import GraphLinks, Unlike
from vlm_ros.build.precision.onnx_library import Model, Node, onnx


def layer_of_operator(model: Model, links: GraphLinks, attention: Node) -> AttentionLayer:
    """The layer of ``attention``; raises ``Unlike``."""
    if len(attention.input) != 4:
        raise Unlike
    query, keys, values, _ = attention.input
    (key_join, _), (value_join, _) = joined(links, keys, REPEATED), joined(links, values, REPEATED)
    key, value = key_join.input[1], value_join.input[1]
    query_turn, _, query_shape = links.chain(query, "RotaryEmbedding", "Transpose", "Reshape")
    key_turn, _, key_shape = links.chain(key, "RotaryEmbedding", "Transpose", "Reshape")
    _, value_shape = links.chain(value, "Transpose", "Reshape")
    past = (key_join.input[0], value_join.input[0])
    result = links.reader(links.reader(attention.output[0], "Transpose").output[0], "Reshape").output[0]

    heads, settings = (_heads(query_turn), _heads(key_turn)), _settings(attention, ("scale", "softcap"))
    if not all(heads):
        raise Unlike
    AttentionTrial(model, links, (query, key, value), past).check(result, heads, **settings)
    turned = _rotation(query_turn, query_shape.input[0]), _rotation(key_turn, key_shape.input[0])
    return AttentionLayer(
        preparing=turned,
        sources=(turned[0].output[0], turned[1].output[0], value_shape.input[0]),
        heads=heads,
        past=past,
        present=(key_join.output[0], value_join.output[0]),
        result=result,
        settings=settings,
    )


def _rotation(node: Node, source: str) -> Node:
    """Rotary embedding as in ``node``, of heads side by side."""
    turned = onnx.NodeProto()
    turned.CopyFrom(node)
    turned.input[0], turned.output[0] = source, f"{node.output[0]}_side_by_side"
    return turned


def _heads(node: Node) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "num_heads"), 0)


def _settings(node: Node, names: Sequence[str]) -> dict[str, float]:
    return {attribute.name: attribute.f for attribute in node.attribute if attribute.name in names}
