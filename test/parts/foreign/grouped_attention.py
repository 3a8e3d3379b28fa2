"""Our decoder with ONNX Runtime's own attention, as onnxruntime-genai writes decoders."""

from __future__ import annotations

import numpy as np
import onnx
import surgery
from onnx import TensorProto, helper
from onnxruntime.capi.onnxruntime_pybind11_state import get_all_operator_schema

INT32 = TensorProto.INT32

KNOWS_SCALES = any(
    schema.name == "GroupQueryAttention" and "k_quant_type" in schema.attributes for schema in get_all_operator_schema()
)
"""Whether ONNX Runtime here keeps a cache in integers."""


def grouped_attention(model: onnx.ModelProto) -> None:
    """GroupQueryAttention in every layer, told by the sum of the mask how many tokens there are."""
    graph = model.graph
    made = _counts(model)
    for layer in range(2):
        made += _layer(model, layer)
    kept = [node for node in graph.node if not {name for other in made for name in other.output} & {*node.output}]
    surgery.set_nodes(model, _in_order([*kept, *made], [value.name for value in graph.output]))
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))


def half_cache(model: onnx.ModelProto) -> None:
    """As ``grouped_attention``, in fp16 and with a cache of it."""
    grouped_attention(model)
    _retype_cache(model, TensorProto.FLOAT16)
    nodes = []
    for node in model.graph.node:
        if node.op_type != "GroupQueryAttention":
            nodes.append(node)
            continue
        for place, name in enumerate(node.input[:3]):
            node.input[place] = f"{name}_half"
            nodes.append(helper.make_node("Cast", [name], [node.input[place]], to=TensorProto.FLOAT16))
        result = node.output[0]
        node.output[0] = f"{result}_half"
        nodes += [node, helper.make_node("Cast", [node.output[0]], [result], to=TensorProto.FLOAT)]
    surgery.set_nodes(model, nodes)


def byte_cache(model: onnx.ModelProto) -> None:
    """As ``grouped_attention``, with a cache of INT8."""
    grouped_attention(model)
    _retype_cache(model, TensorProto.INT8)
    scale = surgery.constant(model, "cache_scale", [0.05], np.float32)
    for node in model.graph.node:
        if node.op_type == "GroupQueryAttention":
            node.input.extend([*[""] * (12 - len(node.input)), scale, scale])
            settings = {"k_quant_type": "PER_TENSOR", "v_quant_type": "PER_TENSOR", "kv_cache_bit_width": 8}
            node.attribute.extend(helper.make_attribute(name, value) for name, value in settings.items())


def _retype_cache(model: onnx.ModelProto, kind: int) -> None:
    for value in (*model.graph.input, *model.graph.output):
        if value.name.startswith(("past", "present")):
            value.type.tensor_type.elem_type = kind


def _counts(model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The last token of each row, and all tokens."""
    axis, one = surgery.constant(model, "count_axis", [1]), surgery.constant(model, "one_token", [1])
    return [
        helper.make_node("ReduceSum", ["attention_mask", axis], ["count"], keepdims=1),
        helper.make_node("Sub", ["count", one], ["last"]),
        helper.make_node("Cast", ["last"], ["seqlens_k"], to=INT32),
        helper.make_node("Shape", ["attention_mask"], ["mask_length"], start=1, end=2),
        helper.make_node("Squeeze", ["mask_length"], ["mask_count"]),
        helper.make_node("Cast", ["mask_count"], ["total_sequence_length"], to=INT32),
    ]


def _layer(model: onnx.ModelProto, layer: int) -> list[onnx.NodeProto]:
    """What takes the place of attention in ``layer``."""
    makers = {name: node for node in model.graph.node for name in node.output}
    present = [f"present.{layer}.{kind}" for kind in ("key", "value")]
    product = f"scaled_dot_product_attention{f'_{layer}' if layer else ''}"
    scores = next(node for node in _before(makers, makers[product].input[0]) if node.op_type == "MatMul")
    query = makers[scores.input[0]].input[0]
    beside = next(
        node.output[0] for node in model.graph.node if node.op_type == "Reshape" and _reads(makers, node, product)
    )
    shape = surgery.constant(model, f"beside_{layer}", [0, 0, -1])
    sources, nodes = [], []
    for name in (query, *(makers[each].input[1] for each in present)):
        sources.append(f"{name}_beside_{layer}")
        nodes.append(helper.make_node("Transpose", [name], [f"{name}_by_token_{layer}"], perm=[0, 2, 1, 3]))
        nodes.append(helper.make_node("Reshape", [f"{name}_by_token_{layer}", shape], [sources[-1]]))
    past = [f"past_key_values.{layer}.{kind}" for kind in ("key", "value")]
    attention = helper.make_node(
        "GroupQueryAttention",
        [*sources, *past, "seqlens_k", "total_sequence_length"],
        [beside, *present],
        domain="com.microsoft",
        num_heads=4,
        kv_num_heads=2,
    )
    return [*nodes, attention]


def _reads(makers: dict, node: onnx.NodeProto, name: str) -> bool:
    """Whether ``node`` reshapes what is ``name`` transposed."""
    before = makers.get(node.input[0])
    return before is not None and before.op_type == "Transpose" and before.input[0] == name


def _before(makers: dict, name: str) -> list[onnx.NodeProto]:
    """What ``name`` is made by, the nearest first."""
    found: dict[str, onnx.NodeProto] = {}
    waiting = [name]
    while waiting:
        made = waiting.pop(0)
        if made in makers and made not in found:
            found[made] = makers[made]
            waiting.extend(makers[made].input)
    return list(found.values())


def _in_order(nodes: list, wanted: list[str]) -> list[onnx.NodeProto]:
    """Of ``nodes`` those that ``wanted`` are made by, each after what it reads."""
    makers = {name: node for node in nodes for name in node.output}
    ordered: dict[str, onnx.NodeProto] = {}

    def visit(name: str) -> None:
        node = makers.get(name)
        if node is not None and node.output[0] not in ordered:
            for read in node.input:
                visit(read)
            ordered[node.output[0]] = node

    for name in wanted:
        visit(name)
    return list(ordered.values())
