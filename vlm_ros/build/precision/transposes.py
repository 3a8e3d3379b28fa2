"""Weights the way products multiply by them, (inputs, outputs): each then has one scale for each output."""

from __future__ import annotations

from vlm_ros.build.precision.additions import Additions
from vlm_ros.build.precision.graph import constants, drop_unused
from vlm_ros.build.precision.onnx_library import Model


def with_plain_weights(model: Model) -> Model:
    """``model``, changed: no Gemm transposes its weight, nor shares it with a product that reads it the other way."""
    weights, new = constants(model), Additions(model)
    for node in model.graph.node:
        weight = weights.get(node.input[1]) if node.op_type == "Gemm" else None
        for attribute in node.attribute:
            if weight is not None and attribute.name == "transB" and attribute.i:
                node.input[1] = new.weight(node.input[1], "plain", weight.T)
                attribute.i = 0
    drop_unused(model)
    return model
