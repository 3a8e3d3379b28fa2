"""Narrow weights beside activations that stay as they are: DequantizeLinear in front of every product.

ONNX Runtime fuses the pair to MatMulNBits, TensorRT to a weight-only product; neither ever holds the
wide weights. Scales are symmetric and positive, as TensorRT demands.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_ros.build.precision.additions import Additions
from vlm_ros.build.precision.graph import Array, constants, copy_of, drop_unused, set_nodes, with_opset
from vlm_ros.build.precision.onnx_library import INSTALL, Model, Node, onnx
from vlm_ros.build.precision.transposes import with_plain_weights
from vlm_ros.core.errors import require

BLOCK = 32
"""So many weights of one column share a scale in INT4."""

_SHRINK = (1.0, 0.95, 0.9, 0.85, 0.8, 0.75)
"""Scales that are tried for a block: cutting its largest weight off a little may err less in sum."""

_WIDE = (np.float32, np.float16)
"""What DequantizeLinear gives."""

_OPSET_OF_BLOCKS = 21
_OPSET_OF_AXES = 13


@dataclass(frozen=True)
class Quantized:
    """``values`` times ``scales`` along ``axis``; ``block`` rows share a scale, 0: all of them."""

    values: Array
    scales: Array
    axis: int
    block: int = 0


def int8_weights(model: Model) -> Model:
    """``model`` with INT8 weights, one scale for each output of a product and for each row of a table."""
    return with_narrow_weights(with_opset(copy_of(model), _OPSET_OF_AXES), beside_wide_activations(per_column))


def int4_weights(model: Model) -> Model:
    """``model`` with INT4 weights in blocks of 32; tables, and weights that blocks do not fit, become INT8."""
    return with_narrow_weights(with_opset(copy_of(model), _OPSET_OF_BLOCKS), beside_wide_activations(in_blocks))


def per_column(weight: Array) -> Quantized:
    """INT8 of a weight (inputs, outputs), a scale for each output."""
    scales = _scales(np.abs(weight).max(axis=0).astype(np.float32) / 127, weight.dtype)
    values = np.rint(weight.astype(np.float32) / scales.astype(np.float32)).clip(-127, 127).astype(np.int8)
    return Quantized(values, scales, axis=1)


def in_blocks(weight: Array) -> Quantized:
    """INT4 of a weight (inputs, outputs), a scale for each block of 32 inputs, chosen for the least squared error."""
    inputs, outputs = weight.shape
    if inputs % BLOCK:
        return per_column(weight)
    int4: Any = require("ml_dtypes", INSTALL).int4
    blocks = weight.reshape(-1, BLOCK, outputs).astype(np.float32)
    peak = np.abs(blocks).max(axis=1, keepdims=True)
    best = np.full(peak.shape, np.inf, np.float32)
    scales = np.ones(peak.shape, weight.dtype)
    for share in _SHRINK:
        tried = _scales(peak * (share / 7), weight.dtype)
        wide = tried.astype(np.float32)
        error = ((_rounded(blocks, wide) * wide - blocks) ** 2).sum(axis=1, keepdims=True)
        scales = np.where(error < best, tried, scales)
        best = np.minimum(error, best)
    values = _rounded(blocks, scales.astype(np.float32)).reshape(weight.shape).astype(int4)
    return Quantized(values, scales[:, 0], axis=0, block=BLOCK)


def _rounded(blocks: Array, scales: Array) -> Array:
    return np.rint(blocks / scales).clip(-8, 7)


def _scales(wanted: Array, dtype: Any) -> Array:
    """Positive scales, none below ``wanted``: a column of zeros has any scale."""
    scales = wanted.astype(dtype)
    # rounded down, small scales, of which fp16 keeps few digits or none, would cut weights off
    scales = np.where(scales < wanted, np.nextafter(scales, np.inf, dtype=dtype), scales)
    return np.where(wanted == 0, 1, scales).astype(dtype)


Product = Callable[[Additions, Node, Array], list[Node]]
"""Gives the nodes that stand for a product with this weight, and adds to the graph what they read."""


def with_narrow_weights(model: Model, product: Product) -> Model:
    """``model``, changed: ``product`` in the place of each product with a weight, and INT8 rows in each table."""
    weights = constants(with_plain_weights(model))
    new, nodes = Additions(model), []
    for node in model.graph.node:
        weight = weights.get(_weight_name(node))
        if weight is None or not may_be_narrow(weight):
            nodes.append(node)
        elif node.op_type == "Gather":
            nodes += _lookup(new, node, weight)
        else:
            nodes += product(new, node, weight)
    set_nodes(model, nodes)
    drop_unused(model)
    return model


def may_be_narrow(weight: Array) -> bool:
    """Whether ``weight`` is rows and columns of floats: stacks of them, and what is empty, stay as they are."""
    return weight.ndim == 2 and weight.size > 0 and weight.dtype in _WIDE


def beside_wide_activations(quantize: Callable[[Array], Quantized]) -> Product:
    """The product as it is, its weight made by ``quantize`` and widened in front of it."""
    return lambda new, node, weight: [dequantized(new, node, weight, quantize), node]


def _weight_name(node: Node) -> str:
    """The input of ``node`` that may be narrowed."""
    if node.op_type == "MatMul" or (node.op_type == "Gemm" and not _attribute(node, "transA")):
        return str(node.input[1])
    return str(node.input[0]) if node.op_type == "Gather" and not _attribute(node, "axis") else ""


def dequantized(new: Additions, node: Node, weight: Array, quantize: Callable[[Array], Quantized]) -> Node:
    """The node that makes the weight of ``node`` again, which then reads it from there."""
    name, made = node.input[1], quantize(weight)
    inputs = [new.weight(name, "columns_values", made.values), new.weight(name, "columns_scales", made.scales)]
    blocks = {"block_size": made.block} if made.block else {}
    widen = new.node("DequantizeLinear", inputs, name, "columns_wide", axis=made.axis, **blocks)
    node.input[1] = widen.output[0]
    return widen


def _lookup(new: Additions, node: Node, table: Array) -> list[Node]:
    """Nodes that look up INT8 rows and their scales and multiply them: only rows that are asked for get wide."""
    made = per_column(table.T)
    name, rows, result = node.input[0], node.input[1], node.output[0]
    values = new.weight(name, "values", np.ascontiguousarray(made.values.T))
    scales = new.weight(name, "scales", made.scales[:, np.newaxis])
    narrow = new.node("Gather", [values, rows], result, "rows")
    scale = new.node("Gather", [scales, rows], result, "row_scales")
    kind = onnx.helper.np_dtype_to_tensor_dtype(table.dtype)
    wide = new.node("Cast", narrow.output, result, "wide_rows", to=kind)
    inputs = [*wide.output, *scale.output]
    return [narrow, scale, wide, onnx.helper.make_node("Mul", inputs, [result], name=node.name or f"{result}_scaled")]


def _attribute(node: Node, name: str) -> int:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == name), 0)
