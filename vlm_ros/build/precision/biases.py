"""Biases that products add as they are: operators in integers know no ``beta``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from vlm_ros.build.precision.additions import Additions
from vlm_ros.build.precision.graph import Array, constants, drop_unused, set_nodes
from vlm_ros.build.precision.onnx_library import Model, Node


def with_plain_biases(model: Model) -> Model:
    """``model``, changed: the bias of each Gemm with a weight is multiplied by its ``beta`` beforehand."""
    weights, new = constants(model), Additions(model)
    nodes: list[Node] = []
    for node in model.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "Gemm" and any(node.input[2:]) else None
        for attribute in node.attribute:
            if weight is not None and attribute.name == "beta" and attribute.f != 1:
                nodes += _scaled_bias(new, node, weights, weight.dtype.type(attribute.f))
                attribute.f = 1
        nodes.append(node)
    set_nodes(model, nodes)
    drop_unused(model)
    return model


def _scaled_bias(new: Additions, node: Node, weights: dict[str, Array], beta: np.floating[Any]) -> Iterator[Node]:
    """The node that multiplies the bias of ``node`` by ``beta``; a weight is multiplied here and now."""
    bias, result = node.input[2], node.output[0]
    if bias in weights:
        node.input[2] = new.weight(result, "scaled_bias", weights[bias] * beta)
    else:
        scale = new.node("Mul", [bias, new.weight(result, "beta", np.asarray(beta))], result, "scaled_bias")
        node.input[2] = scale.output[0]
        yield scale
