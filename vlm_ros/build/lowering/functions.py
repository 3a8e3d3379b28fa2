"""Operators of opset 23 in those of opset 20, for a parser that does not know them.

ONNX says itself what they are made of: each has a body of older operators, which the inliner puts in its place.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path

from vlm_ros.build.precision.graph import all_nodes, all_tensors, opset_of
from vlm_ros.build.precision.onnx_library import INSTALL, Model, onnx
from vlm_ros.core.errors import require

_OPSET = 20
_BLOCK_OPSET = 21
"""Since when weights may be quantised in blocks."""

_REGROUPED = "GroupNormalization"
"""It means something else since opset 21."""


def lowered(model: Model, functions: Collection[str], folder: Path = Path()) -> Model:
    """``model`` with ``functions`` written out, in opset 20 where all else in it is as old.

    It computes the same but for rows of a mask that allow nothing, which nobody reads. What the bodies ask of
    shapes that are known is answered now, so that axes are constants. Weights in files of their own, which lie
    in ``folder``, stay there.
    """
    inliner = require("onnx.inliner", INSTALL)
    typed = _with_weight_types(onnx.shape_inference.infer_shapes(model))  # the bodies depend on types
    calls = [("", function) for function in functions]
    inlined = inliner.inline_selected_functions(typed, calls, inline_schema_functions=True)
    return _at_oldest_opset(_folded(onnx.shape_inference.infer_shapes(inlined, data_prop=True), folder))


def _folded(model: Model, folder: Path) -> Model:
    """``model`` without what can be computed beforehand."""
    ir, optimizer = require("onnx_ir", INSTALL), require("onnxscript.optimizer", INSTALL)
    # with whole paths it reads whatever links lead to, as all files in the hub's cache are
    _move_weights(model, lambda location: str(folder.absolute() / location))
    folded = ir.to_proto(optimizer.optimize(ir.from_proto(model)))
    _move_weights(folded, lambda location: str(Path(location).relative_to(folder.absolute())))
    return folded


def _move_weights(model: Model, place: Callable[[str], str]) -> None:
    """Let ``model`` say that the files of its weights lie at their ``place``."""
    for tensor in all_tensors(model):
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = place(entry.value)


def _with_weight_types(model: Model) -> Model:
    """``model``, telling the types of its weights among those of all other values: the inliner looks there alone."""
    told = {value.name for value in (*model.graph.value_info, *model.graph.input)}
    model.graph.value_info.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in model.graph.initializer
        if tensor.name not in told
    )
    return model


def _at_oldest_opset(model: Model) -> Model:
    """``model``, said to be of the oldest opset from 20 on that has all of its operators as they are."""
    nodes = [node for node in all_nodes(model.graph) if node.domain in ("", "ai.onnx")]
    blocks = any(attribute.name == "block_size" for node in nodes for attribute in node.attribute)
    opset = _BLOCK_OPSET if blocks else _OPSET
    as_old = all(onnx.defs.has(node.op_type, opset) and node.op_type != _REGROUPED for node in nodes)
    if as_old and opset < opset_of(model):
        for entry in model.opset_import:
            if entry.domain in ("", "ai.onnx"):
                entry.version = opset
    return model
