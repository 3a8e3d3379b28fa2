"""Attention as exporters write it before opset 23: in products, a mask and a softmax.

Where it begins and ends is seen in the operators; that it is attention, and who sees whom, by running it
(``attention_trial.py``). Rotary embedding, where there is any, comes before and stays as it is.
"""

from __future__ import annotations

from vlm_ros.build.onnxruntime.attention_layer import AttentionLayer
from vlm_ros.build.onnxruntime.attention_trial import AttentionTrial
from vlm_ros.build.onnxruntime.cache_join import REPEATED, joined
from vlm_ros.build.onnxruntime.graph_links import GraphLinks, Unlike
from vlm_ros.build.precision.onnx_library import Model, Node, onnx

_TURNED = ("Transpose", "Mul")
"""How keys get ready for the product, besides being repeated."""

_FLAT = "heads_side_by_side"


def layer_of_softmax(model: Model, links: GraphLinks, softmax: Node) -> AttentionLayer:
    """The layer of ``softmax``; raises ``Unlike``."""
    scores = links.maker(links.maker(softmax.input[0], "Add").input[0], "MatMul")
    query, query_scale = _unscaled(links, scores.input[0])
    key_join, key_scale = joined(links, scores.input[1], (*REPEATED, *_TURNED))
    product = links.reader(_without_nan(links, softmax.output[0]), "MatMul")
    value_join, _ = joined(links, product.input[1], REPEATED)

    sources = (query, key_join.input[1], value_join.input[1])
    past = (key_join.input[0], value_join.input[0])
    scale, result = query_scale * key_scale, _result(links, product.output[0])
    trial = AttentionTrial(model, links, sources, past)
    heads = trial.heads(scores.input[1])
    trial.check(result, heads, scale)

    beside = [f"{name}_{_FLAT}" for name in sources]
    return AttentionLayer(
        preparing=_side_by_side(sources),
        sources=(beside[0], beside[1], beside[2]),
        heads=heads,
        past=past,
        present=(key_join.output[0], value_join.output[0]),
        result=result,
        settings={"scale": scale},
    )


def _unscaled(links: GraphLinks, result: str) -> tuple[str, float]:
    """What ``result`` is a multiple of, and which."""
    try:
        node = links.maker(result, "Mul")
        return node.input[0], links.number(node.input[1])
    except Unlike:
        return result, 1.0


def _without_nan(links: GraphLinks, weights: str) -> str:
    """``weights``, or what they are where a row that sees nothing is 0 instead of NaN."""
    guards = {node.op_type: node for node in links.readers(weights)}
    return str(guards["Where"].output[0]) if guards.keys() == {"IsNaN", "Where"} else weights


def _result(links: GraphLinks, product: str) -> str:
    """``product`` with all heads of a token side by side."""
    node = links.reader(product, "Transpose", "Reshape")
    if node.op_type == "Reshape":
        node = links.reader(node.output[0], "Transpose")
    return str(links.reader(node.output[0], "Reshape").output[0])


def _side_by_side(sources: tuple[str, ...]) -> list[Node]:
    """Nodes that lay the heads of a token side by side. ONNX Runtime drops transposes that undo one another."""
    make = onnx.helper.make_node
    nodes = [make("Constant", [], [_FLAT], name=_FLAT, value_ints=[0, 0, -1])]
    for name in sources:
        turned, flat = f"{name}_by_token", f"{name}_{_FLAT}"
        nodes.append(make("Transpose", [name], [turned], name=turned, perm=[0, 2, 1, 3]))
        nodes.append(make("Reshape", [turned, _FLAT], [flat], name=flat))
    return nodes
