"""INT8 products whose activations are rounded token by token, in QuantizeLinear and DequantizeLinear.

Each token is divided by its own largest magnitude first, so that one fixed scale fits them all, and its result
multiplied by it again. A token thus comes out the same whatever stands beside it: a prompt may be read in one
piece or in two, and gives the same answer. ONNX Runtime fuses each product to one in integers.

Two kinds of products keep wide activations, beside weights just as narrow. Behind a gate single
values tower above all others and would leave these few of the 255 steps (https://doi.org/10.3390/fi17040185). And a
product with the last token alone gains nothing from integers: its time is that of reading the weights.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from vlm_ros.build.precision.biases import with_plain_biases
from vlm_ros.build.precision.gates import gated
from vlm_ros.build.precision.graph import Array, add_weight, constants, copy_of, with_opset
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.build.precision.weight_only import (
    beside_wide_activations,
    dequantized,
    per_column,
    with_narrow_weights,
)

_OPSET_OF_AXES = 18
_LARGEST = 127
_NOWHERE = np.zeros(0)
_SMALLEST_PEAK = 1e-30
"""Stands for the largest magnitude of a token of zeros, which may be divided by anything else."""


def dynamic_int8(model: Model) -> Model:
    """``model`` with INT8 weights, one scale for each output, and INT8 activations, one for each token."""
    changed = with_plain_biases(with_opset(copy_of(model), _OPSET_OF_AXES))
    wide = {*gated(changed), *_last_tokens(changed)}
    weight_only = beside_wide_activations(per_column)

    def product(model: Model, node: Node, weight: Array) -> list[Node]:
        return (weight_only if node.input[0] in wide else _product)(model, node, weight)

    return with_narrow_weights(changed, product)


def _last_tokens(model: Model) -> Iterator[str]:
    """What is cut off the end of a row of tokens."""
    fixed = constants(model)
    for node in model.graph.node:
        if node.op_type == "Slice" and fixed.get(node.input[1], _NOWHERE).tolist() == [-1]:
            yield node.output[0]


def _product(model: Model, node: Node, weight: Array) -> list[Node]:
    """Nodes that do what ``node`` does, the product itself in integers."""
    tokens, result = node.input[0], node.output[0]
    widened = dequantized(model, node, weight, per_column)
    rounded = _rounded(model, tokens)
    node.input[0], node.output[0] = f"{tokens}_rounded", f"{result}_in_peaks"
    bias = node.input[2:]
    del node.input[2:]
    make = onnx.helper.make_node
    scaled = f"{result}_without_bias" if bias else result
    nodes = [
        *widened,
        *rounded,
        node,
        make("Mul", [node.output[0], f"{tokens}_peak"], [scaled], name=f"{result}_scale"),
    ]
    return [*nodes, make("Add", [scaled, bias[0]], [result], name=f"{result}_bias")] if bias else nodes


def _rounded(model: Model, tokens: str) -> list[Node]:
    """Nodes that make ``tokens`` in parts of their peaks, as INT8 and wide again; products may share them."""
    add_weight(model, "per_token_last_axis", np.array([-1]))
    add_weight(model, "per_token_smallest_peak", np.float32(_SMALLEST_PEAK))
    add_weight(model, "per_token_share_scale", np.float32(1 / _LARGEST))
    add_weight(model, "per_token_share_zero", np.uint8(_LARGEST + 1))
    grid = ["per_token_share_scale", "per_token_share_zero"]
    steps = [
        ("Abs", [tokens], "magnitude"),
        ("ReduceMax", [f"{tokens}_magnitude", "per_token_last_axis"], "largest"),
        ("Max", [f"{tokens}_largest", "per_token_smallest_peak"], "peak"),
        ("Div", [tokens, f"{tokens}_peak"], "share"),
        ("QuantizeLinear", [f"{tokens}_share", *grid], "narrow"),
        ("DequantizeLinear", [f"{tokens}_narrow", *grid], "rounded"),
    ]
    return [
        onnx.helper.make_node(kind, inputs, [f"{tokens}_{made}"], name=f"{tokens}_{made}")
        for kind, inputs, made in steps
    ]
