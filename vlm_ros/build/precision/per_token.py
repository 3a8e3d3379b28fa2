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

from vlm_ros.build.precision.additions import Additions
from vlm_ros.build.precision.biases import with_plain_biases
from vlm_ros.build.precision.gates import gated
from vlm_ros.build.precision.graph import Array, constants, copy_of, with_opset
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

    def product(new: Additions, node: Node, weight: Array) -> list[Node]:
        return (weight_only if node.input[0] in wide else _product)(new, node, weight)

    return with_narrow_weights(changed, product)


def _last_tokens(model: Model) -> Iterator[str]:
    """What is cut off the end of a row of tokens."""
    fixed = constants(model)
    for node in model.graph.node:
        if node.op_type == "Slice" and fixed.get(node.input[1], _NOWHERE).tolist() == [-1]:
            yield node.output[0]


def _product(new: Additions, node: Node, weight: Array) -> list[Node]:
    """Nodes that do what ``node`` does, the product itself in integers."""
    tokens, result = node.input[0], node.output[0]
    nodes = [dequantized(new, node, weight, per_column), *_rounded(new, tokens), node]
    node.input[0], node.output[0] = new.name(tokens, "rounded"), new.name(result, "in_peaks")
    bias = node.input[2:]
    del node.input[2:]
    make, inputs = onnx.helper.make_node, [node.output[0], new.name(tokens, "peak")]
    if not bias:
        return [*nodes, make("Mul", inputs, [result], name=f"{result}_scale")]
    scaled = new.node("Mul", inputs, result, "without_bias")
    return [*nodes, scaled, make("Add", [*scaled.output, bias[0]], [result], name=f"{result}_bias")]


def _rounded(new: Additions, tokens: str) -> list[Node]:
    """Nodes that make ``tokens`` in parts of their peaks, as INT8 and wide again; products may share them."""
    last_axis = new.weight("per_token", "last_axis", np.array([-1]))
    smallest = new.weight("per_token", "smallest_peak", np.float32(_SMALLEST_PEAK))
    scale = new.weight("per_token", "share_scale", np.float32(1 / _LARGEST))
    zero = new.weight("per_token", "share_zero", np.uint8(_LARGEST + 1))
    magnitude = new.node("Abs", [tokens], tokens, "magnitude")
    largest = new.node("ReduceMax", [*magnitude.output, last_axis], tokens, "largest")
    peak = new.node("Max", [*largest.output, smallest], tokens, "peak")
    share = new.node("Div", [tokens, *peak.output], tokens, "share")
    narrow = new.node("QuantizeLinear", [*share.output, scale, zero], tokens, "narrow")
    rounded = new.node("DequantizeLinear", [*narrow.output, scale, zero], tokens, "rounded")
    return [magnitude, largest, peak, share, narrow, rounded]
