"""Decoders that take positions and masks, and give logits, as others export them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from surgery import FLOAT, HALF, Model, constant, drop_input, inner, outer, reshape_spec, sizes


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


def position_rows(model: Model) -> None:
    """position_ids of shape (3, batch, sequence), of which the first row counts."""
    value = next(value for value in model.graph.input if value.name == "position_ids")
    reshape_spec(value, [3, "batch", "sequence"])
    zero = constant(model, "row_zero", 0)
    inner(model, "position_ids", helper.make_node("Gather", ["position_ids", zero], ["position_ids_inner"], axis=0))


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


def logits_without_tokens(model: Model) -> None:
    """logits of shape (batch, vocabulary)."""
    value = next(value for value in model.graph.output if value.name == "logits")
    reshape_spec(value, ["batch", sizes(value)[-1]])
    axis = constant(model, "tokens_axis", [1])
    outer(model, "logits", helper.make_node("Squeeze", ["logits_inner", axis], ["logits"]))


def more_logits(model: Model) -> None:
    """Logits of 64 tokens more than there are, which win."""
    pads, value = constant(model, "more", [0, 0, 0, 0, 0, 64]), constant(model, "winning", 1e4, np.float32)
    logits = next(value for value in model.graph.output if value.name == "logits")
    reshape_spec(logits, [*sizes(logits)[:2], sizes(logits)[2] + 64])
    outer(model, "logits", helper.make_node("Pad", ["logits_inner", pads, value], ["logits"]))
