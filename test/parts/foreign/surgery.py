"""Turns our decoder into what others export: the same numbers under other names, shapes, types and switches."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Model = onnx.ModelProto
FLOAT, HALF = TensorProto.FLOAT, TensorProto.FLOAT16


def rename(model: Model, name: Callable[[str], str]) -> None:
    """Other names for inputs and outputs."""
    names = {value.name: name(value.name) for value in (*model.graph.input, *model.graph.output)}
    for value in (*model.graph.input, *model.graph.output):
        value.name = names[value.name]
    for node in model.graph.node:
        node.input[:] = [names.get(other, other) for other in node.input]
        node.output[:] = [names.get(other, other) for other in node.output]


def inner(model: Model, name: str, *nodes: onnx.NodeProto) -> None:
    """Have all nodes read ``name`` + '_inner', which ``nodes`` make in front of them."""
    for node in model.graph.node:
        node.input[:] = [f"{name}_inner" if other == name else other for other in node.input]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)


def outer(model: Model, name: str, *nodes: onnx.NodeProto) -> None:
    """Have the nodes write ``name`` + '_inner', of which ``nodes`` make the output behind them."""
    for node in model.graph.node:
        node.output[:] = [f"{name}_inner" if other == name else other for other in node.output]
        node.input[:] = [f"{name}_inner" if other == name else other for other in node.input]
    model.graph.node.extend(nodes)


def constant(model: Model, name: str, value: object, dtype: type = np.int64) -> str:
    model.graph.initializer.append(numpy_helper.from_array(np.array(value, dtype), name))
    return name


def retype(model: Model, *, kind: int = HALF, of: int = FLOAT, names: Collection[str] = ()) -> None:
    """Inputs and outputs in another type, ``names`` alone or all; what is computed stays."""
    for value in model.graph.input:
        if value.type.tensor_type.elem_type == of and (not names or value.name in names):
            value.type.tensor_type.elem_type = kind
            inner(model, value.name, helper.make_node("Cast", [value.name], [f"{value.name}_inner"], to=of))
    for value in model.graph.output:
        if value.type.tensor_type.elem_type == of and (not names or value.name in names):
            value.type.tensor_type.elem_type = kind
            outer(model, value.name, helper.make_node("Cast", [f"{value.name}_inner"], [value.name], to=kind))


def reshape_spec(value: onnx.ValueInfoProto, shape: list) -> None:
    kind = value.type.tensor_type.elem_type
    value.CopyFrom(helper.make_tensor_value_info(value.name, kind, shape))


def sizes(value: onnx.ValueInfoProto) -> list:
    return [size.dim_param or size.dim_value for size in value.type.tensor_type.shape.dim]


def drop_input(model: Model, name: str) -> None:
    model.graph.input.remove(next(value for value in model.graph.input if value.name == name))


def set_nodes(model: Model, nodes: Iterable[onnx.NodeProto]) -> None:
    """Other nodes in the place of those of ``model``, of which some may be among them."""
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


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


def without_positions(model: Model) -> None:
    """Positions counted inside the graph."""
    drop_input(model, "position_ids")
    one, axis = constant(model, "one_step", 1), constant(model, "row_axis", [0])
    nodes = [
        helper.make_node("Shape", ["past_key_values.0.key"], ["past_count_row"], start=2, end=3),
        helper.make_node("Shape", ["inputs_embeds"], ["count_row"], start=1, end=2),
        helper.make_node("Add", ["past_count_row", "count_row"], ["total_row"]),
        helper.make_node("Squeeze", ["past_count_row"], ["past_count"]),
        helper.make_node("Squeeze", ["total_row"], ["total_count"]),
        helper.make_node("Range", ["past_count", "total_count", one], ["counted"]),
        helper.make_node("Unsqueeze", ["counted", axis], ["position_ids_inner"]),
    ]
    inner(model, "position_ids", *nodes)


def without_mask(model: Model) -> None:
    """A mask of ones made inside the graph."""
    drop_input(model, "attention_mask")
    one = numpy_helper.from_array(np.ones(1, np.int64))
    first = constant(model, "batch_of_one", [1])
    nodes = [
        helper.make_node("Shape", ["past_key_values.0.key"], ["mask_past"], start=2, end=3),
        helper.make_node("Shape", ["inputs_embeds"], ["mask_new"], start=1, end=2),
        helper.make_node("Add", ["mask_past", "mask_new"], ["mask_total"]),
        helper.make_node("Concat", [first, "mask_total"], ["mask_shape"], axis=0),
        helper.make_node("ConstantOfShape", ["mask_shape"], ["attention_mask_inner"], value=one),
    ]
    inner(model, "attention_mask", *nodes)


def one_row_of_positions(model: Model) -> None:
    """position_ids of shape (sequence)."""
    reshape_spec(next(value for value in model.graph.input if value.name == "position_ids"), ["sequence"])
    axis = constant(model, "positions_axis", [0])
    inner(model, "position_ids", helper.make_node("Unsqueeze", ["position_ids", axis], ["position_ids_inner"]))


def logits_without_tokens(model: Model) -> None:
    """logits of shape (batch, vocabulary)."""
    value = next(value for value in model.graph.output if value.name == "logits")
    reshape_spec(value, ["batch", sizes(value)[-1]])
    axis = constant(model, "tokens_axis", [1])
    outer(model, "logits", helper.make_node("Squeeze", ["logits_inner", axis], ["logits"]))


def mask_of(kind: int) -> Callable[[Model], None]:
    """attention_mask of another type."""

    def apply(model: Model) -> None:
        value = next(value for value in model.graph.input if value.name == "attention_mask")
        value.type.tensor_type.elem_type = kind
        cast = helper.make_node("Cast", ["attention_mask"], ["attention_mask_inner"], to=TensorProto.INT64)
        inner(model, "attention_mask", cast)

    return apply


def square_mask(model: Model, kind: int) -> None:
    """attention_mask of shape (batch, 1, new, all) in numbers of ``kind``, of which the last row counts."""
    value = next(value for value in model.graph.input if value.name == "attention_mask")
    value.type.tensor_type.elem_type = kind
    reshape_spec(value, ["batch", 1, "sequence", "total"])
    sees = constant(model, "sees", 0 if kind in (FLOAT, HALF) else 1, np.float32)
    last, axes = constant(model, "last_row", [-1]), constant(model, "square_axes", [1, 2])
    nodes = [
        helper.make_node("Gather", ["attention_mask", last], ["mask_row"], axis=2),
        helper.make_node("Squeeze", ["mask_row", axes], ["mask_numbers"]),
        helper.make_node("Cast", ["mask_numbers"], ["mask_floats"], to=FLOAT),
        helper.make_node("Equal", ["mask_floats", sees], ["mask_sees"]),
        helper.make_node("Cast", ["mask_sees"], ["attention_mask_inner"], to=TensorProto.INT64),
    ]
    inner(model, "attention_mask", *nodes)


def more_logits(model: Model) -> None:
    """Logits of 64 tokens more than there are, which win."""
    pads, value = constant(model, "more", [0, 0, 0, 0, 0, 64]), constant(model, "winning", 1e4, np.float32)
    logits = next(value for value in model.graph.output if value.name == "logits")
    reshape_spec(logits, [*sizes(logits)[:2], sizes(logits)[2] + 64])
    outer(model, "logits", helper.make_node("Pad", ["logits_inner", pads, value], ["logits"]))


def without_shapes(model: Model) -> None:
    """Inputs that do not say how large they are."""
    for value in model.graph.input:
        value.type.tensor_type.ClearField("shape")


def rows(count: int) -> Callable[[Model], None]:
    """A batch of ``count`` and no other."""

    def apply(model: Model) -> None:
        for value in (*model.graph.input, *model.graph.output):
            reshape_spec(value, [count, *sizes(value)[1:]])

    return apply


def without_batch(model: Model) -> None:
    """pixel_values of shape (3, height, width)."""
    reshape_spec(model.graph.input[0], [3, 32, 32])
    axis = constant(model, "pictures_axis", [0])
    inner(model, "pixel_values", helper.make_node("Unsqueeze", ["pixel_values", axis], ["pixel_values_inner"]))


def short_table(model: Model) -> None:
    """Embeddings of the first tokens alone."""
    table = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
    first = np.ascontiguousarray(numpy_helper.to_array(table)[:100])
    table.CopyFrom(numpy_helper.from_array(first, table.name))


def position_rows(model: Model) -> None:
    """position_ids of shape (3, batch, sequence), of which the first row counts."""
    value = next(value for value in model.graph.input if value.name == "position_ids")
    reshape_spec(value, [3, "batch", "sequence"])
    zero = constant(model, "row_zero", 0)
    inner(model, "position_ids", helper.make_node("Gather", ["position_ids", zero], ["position_ids_inner"], axis=0))


def add_input(model: Model, name: str, kind: int, shape: list) -> None:
    """An input that changes nothing."""
    model.graph.input.append(helper.make_tensor_value_info(name, kind, shape))


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


def tiles_of_pictures(model: Model) -> None:
    """pixel_values of shape (batch, tiles, 3, height, width), and the tiles' masks."""
    reshape_spec(model.graph.input[0], ["batch", "tiles", 3, 32, 32])
    add_input(model, "pixel_attention_mask", TensorProto.BOOL, ["batch", "tiles", 32, 32])
    axis = constant(model, "pictures_axis", [0])
    inner(model, "pixel_values", helper.make_node("Squeeze", ["pixel_values", axis], ["pixel_values_inner"]))


def narrow_features(model: Model) -> None:
    """Features of another width than the decoder's embeddings."""
    start, end, axis = constant(model, "from", [0]), constant(model, "to", [31]), constant(model, "last_axis", [2])
    reshape_spec(model.graph.output[0], ["batch", 16, 31])
    cut = helper.make_node("Slice", ["image_features_inner", start, end, axis], ["image_features"])
    outer(model, "image_features", cut)


def merging_embedding(model: Model) -> None:
    """embed_tokens that puts the picture's features where the image token is."""
    add_input(model, "image_features", FLOAT, ["image_tokens", 32])
    image = constant(model, "image_token", 4)
    outer(
        model,
        "inputs_embeds",
        helper.make_node("Equal", ["input_ids", image], ["is_image"]),
        helper.make_node("NonZero", ["is_image"], ["places"]),
        helper.make_node("Transpose", ["places"], ["places_in_rows"], perm=[1, 0]),
        helper.make_node("ScatterND", ["inputs_embeds_inner", "places_in_rows", "image_features"], ["inputs_embeds"]),
    )
