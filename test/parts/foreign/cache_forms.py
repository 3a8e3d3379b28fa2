"""Decoders that keep their past as others export them: other shapes, states, branches, and two graphs for one."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from surgery import FLOAT, Model, add_input, constant, drop_input, inner, outer, reshape_spec, sizes


def tokens_first(model: Model) -> None:
    """Caches of shape (batch, tokens, heads, head size)."""
    for value in model.graph.input:
        if value.name.startswith("past"):
            batch, heads, past, size = sizes(value)
            reshape_spec(value, [batch, past, heads, size])
            node = helper.make_node("Transpose", [value.name], [f"{value.name}_inner"], perm=[0, 2, 1, 3])
            inner(model, value.name, node)
    for value in model.graph.output:
        if value.name.startswith("present"):
            batch, heads, past, size = sizes(value)
            reshape_spec(value, [batch, past, heads, size])
            node = helper.make_node("Transpose", [f"{value.name}_inner"], [value.name], perm=[0, 2, 1, 3])
            outer(model, value.name, node)


def keys_with_values(model: Model) -> None:
    """One cache a layer, of shape (2, batch, heads, tokens, head size), called past_0 and present_0."""
    axis = constant(model, "first_axis", [0])
    for layer in range(2):
        for side, values in (("past_key_values", model.graph.input), ("present", model.graph.output)):
            both = [f"{side}.{layer}.{kind}" for kind in ("key", "value")]
            shape = sizes(next(value for value in values if value.name == both[0]))
            for name in both:
                values.remove(next(value for value in values if value.name == name))
            name = f"{side.split('_')[0]}_{layer}"
            values.append(helper.make_tensor_value_info(name, FLOAT, [2, *shape]))
            if side == "present":
                rows = [helper.make_node("Unsqueeze", [one, axis], [f"{one}_row"]) for one in both]
                join = helper.make_node("Concat", [f"{one}_row" for one in both], [name], axis=0)
                model.graph.node.extend([*rows, join])
            else:
                split = helper.make_node("Split", [name], [f"{one}_row" for one in both], axis=0, num_outputs=2)
                squeezed = [helper.make_node("Squeeze", [f"{one}_row", axis], [one]) for one in both]
                for node in reversed([split, *squeezed]):
                    model.graph.node.insert(0, node)


def all_in_one(model: Model) -> None:
    """The whole cache in one tensor of shape (layers, 2, batch, heads, tokens, head size)."""
    axis, two = constant(model, "cache_axis", [0]), constant(model, "layers_and_kinds", [2, 2])
    four = constant(model, "all_rows", [4])
    for side, values in (("past_key_values", model.graph.input), ("present", model.graph.output)):
        names = [f"{side}.{layer}.{kind}" for layer in range(2) for kind in ("key", "value")]
        shape = sizes(next(value for value in values if value.name == names[0]))
        for name in names:
            values.remove(next(value for value in values if value.name == name))
        values.append(helper.make_tensor_value_info(side, FLOAT, [2, 2, *shape]))
        rows = [f"{name}_row" for name in names]
        if side == "present":
            nodes = [
                *(helper.make_node("Unsqueeze", [name, axis], [row]) for name, row in zip(names, rows, strict=True)),
                helper.make_node("Concat", rows, ["present_rows"], axis=0),
                helper.make_node("Shape", ["present_rows"], ["present_size"], start=1),
                helper.make_node("Concat", [two, "present_size"], ["present_shape"], axis=0),
                helper.make_node("Reshape", ["present_rows", "present_shape"], [side], allowzero=1),
            ]
            model.graph.node.extend(nodes)
            continue
        nodes = [
            helper.make_node("Shape", [side], ["past_size"], start=2),
            helper.make_node("Concat", [four, "past_size"], ["past_shape"], axis=0),
            helper.make_node("Reshape", [side, "past_shape"], ["past_rows"], allowzero=1),
            helper.make_node("Split", ["past_rows"], rows, axis=0, num_outputs=4),
            *(helper.make_node("Squeeze", [row, axis], [name]) for name, row in zip(names, rows, strict=True)),
        ]
        for node in reversed(nodes):
            model.graph.node.insert(0, node)


def new_tokens_only(model: Model) -> None:
    """Outputs that hold the new tokens alone, and leave it to the caller to append them."""
    start, end, axis = (
        constant(model, "at_end", [2**31]),
        constant(model, "one_long", [1]),
        constant(model, "third", [2]),
    )
    count = [
        helper.make_node("Shape", ["inputs_embeds"], ["new_count"], start=1, end=2),
        helper.make_node("Neg", ["new_count"], ["new_start"]),
    ]
    model.graph.node.extend(count)
    for value in model.graph.output:
        if value.name.startswith("present"):
            batch, heads, _, size = sizes(value)
            reshape_spec(value, [batch, heads, "sequence", size])
            cut = helper.make_node("Slice", [f"{value.name}_inner", "new_start", start, axis, end], [value.name])
            outer(model, value.name, cut)


def with_states(model: Model) -> None:
    """A layer in front that keeps states of a fixed size: the last inputs of a convolution, and the sum of all."""
    width, kernel = 32, 3
    draw = np.random.default_rng(3)
    weight = constant(model, "conv_weight", draw.normal(0, 0.3, (width, 1, kernel)), np.float32)
    fading = constant(model, "sum_weight", 0.02, np.float32)
    start, end, last = (
        constant(model, "from", [1]),
        constant(model, "to", [2**31]),
        constant(model, "kernel", [-kernel]),
    )
    axis, token = constant(model, "conv_axis", [2]), constant(model, "token_axis", 1)
    as_row, as_state = constant(model, "as_row", [-1, 1, width]), constant(model, "as_state", [-1, 4, width // 4, 1])
    for side, values in (("past", model.graph.input), ("present", model.graph.output)):
        values.append(helper.make_tensor_value_info(f"{side}_conv.2", FLOAT, ["batch", width, kernel]))
        values.append(helper.make_tensor_value_info(f"{side}_recurrent.2", FLOAT, ["batch", 4, width // 4, 1]))
    nodes = [
        helper.make_node("Transpose", ["inputs_embeds"], ["channels"], perm=[0, 2, 1]),
        helper.make_node("Concat", ["past_conv.2", "channels"], ["seen"], axis=2),
        helper.make_node("Slice", ["seen", last, end, axis], ["present_conv.2"]),
        helper.make_node("Slice", ["seen", start, end, axis], ["seen_now"]),
        helper.make_node("Conv", ["seen_now", weight], ["convolved_channels"], group=width),
        helper.make_node("Transpose", ["convolved_channels"], ["convolved"], perm=[0, 2, 1]),
        helper.make_node("CumSum", ["inputs_embeds", token], ["sum_of_new"]),
        helper.make_node("Reshape", ["past_recurrent.2", as_row], ["sum_before"]),
        helper.make_node("Add", ["sum_of_new", "sum_before"], ["sum"]),
        helper.make_node("Slice", ["sum", constant(model, "end", [-1]), end, start], ["sum_at_end"]),
        helper.make_node("Reshape", ["sum_at_end", as_state], ["present_recurrent.2"]),
        helper.make_node("Mul", ["sum", fading], ["faded_sum"]),
        helper.make_node("Add", ["inputs_embeds", "convolved"], ["with_convolution"]),
        helper.make_node("Add", ["with_convolution", "faded_sum"], ["with_states"]),
    ]
    for node in model.graph.node:
        node.input[:] = ["with_states" if name == "inputs_embeds" else name for name in node.input]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def unnamed_batches(model: Model) -> None:
    """States whose batch has no name."""
    for value in (*model.graph.input, *model.graph.output):
        if value.name.endswith(".2"):
            reshape_spec(value, [None, *sizes(value)[1:]])


def with_branches(model: Model, *, one_token: bool = True) -> None:
    """A merged decoder as optimum makes it: an If on use_cache_branch, whose branch with a cache may take one token."""
    graph = model.graph
    then = _branch(graph, "cached", one_token=one_token)
    other = _branch(graph, "fresh", one_token=False)
    del graph.node[:]
    add_input(model, "use_cache_branch", TensorProto.BOOL, [1])
    graph.node.append(
        helper.make_node(
            "If",
            ["use_cache_branch"],
            [value.name for value in graph.output],
            "merged",
            then_branch=then,
            else_branch=other,
        )
    )


def _branch(graph: onnx.GraphProto, suffix: str, *, one_token: bool) -> onnx.GraphProto:
    outside = {value.name for value in (*graph.input, *graph.initializer)}

    def inside(name: str) -> str:
        if one_token and name == "inputs_embeds":
            return "inputs_embeds_last"
        return name if name in outside or not name else f"{name}_{suffix}"

    nodes = []
    if one_token:
        last = helper.make_node("Constant", [], ["last"], value=numpy_helper.from_array(np.array([-1])))
        nodes += [last, helper.make_node("Gather", ["inputs_embeds", "last"], ["inputs_embeds_last"], axis=1)]
    for node in graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        copy.name = f"{node.name}_{suffix}"
        copy.input[:] = [inside(name) for name in node.input]
        copy.output[:] = [f"{name}_{suffix}" for name in node.output]
        nodes.append(copy)
    outputs = []
    for value in graph.output:
        other = onnx.ValueInfoProto()
        other.CopyFrom(value)
        other.name = f"{value.name}_{suffix}"
        outputs.append(other)
    return helper.make_graph(nodes, suffix, [], outputs)


def first_half(model: Model) -> None:
    """decoder_model: it knows no past."""
    for value in list(model.graph.input):
        if value.name.startswith("past"):
            _, heads, _, size = sizes(value)
            drop_input(model, value.name)
            constant(model, value.name, np.zeros((1, heads, 0, size)), np.float32)


def one_token_only(model: Model) -> None:
    """decoder_with_past_model: it takes one token at a time."""
    for name in ("inputs_embeds", "position_ids"):
        value = next(value for value in model.graph.input if value.name == name)
        reshape_spec(value, ["batch", 1, *sizes(value)[2:]])
