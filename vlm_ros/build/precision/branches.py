"""Graphs with branches, as plain ones where they can be; what narrows weights, or looks into layers, takes no others.

Optimum merges a decoder for prompts and one for all that follows into one file, as the branches of an If on
``use_cache_branch``. The one that reads a cache may read a prompt, too, where the cache is empty.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from vlm_ros.build.precision.graph import Array, Feeds, copy_of, inner_graphs, simplified
from vlm_ros.build.precision.onnx_library import Model, onnx
from vlm_ros.build.precision.probe import Probe
from vlm_ros.core.errors import BuildFailed
from vlm_ros.runtime.paired import USE_CACHE

_TOLERANCE = 1e-3
"""What two orders of the same sums may differ by, as a share of the largest result; another mask moves far more."""

_WITH_WEIGHTS = ("MatMul", "Gemm", "Conv", "Gather")
_FLOATS = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16)


def without_branches(model: Model, samples: Sequence[Feeds]) -> Model:
    """``model`` with the branch for a cache alone; as it is where it has none, or where that reads prompts otherwise.

    ``samples`` are inputs that it meets in use; those without a cache show whether it does. ``use_cache_branch`` stays
    an input, which changes nothing: after a prompt such a branch is to read one token at a time, as before.
    """
    switch = next((value for value in model.graph.input if value.name == USE_CACHE), None)
    prompts = [feeds for feeds in samples if USE_CACHE in feeds and not np.any(feeds[USE_CACHE])]
    if switch is None or not prompts or not any(any(inner_graphs(node)) for node in model.graph.node):
        return model
    plain = _switched_on(model, switch)
    plain.graph.input.append(switch)
    return plain if _reads_alike(plain, model, prompts) else model


def refuse_inner_weights(model: Model) -> None:
    """``BuildFailed`` naming the node of ``model`` whose branches or loop hold weights, which no pass would reach."""
    weights = _tables(model.graph)
    for node in model.graph.node:
        if any(_reads(inner, weights) for inner in inner_graphs(node)):
            raise BuildFailed(
                f"'{node.name or node.output[0]}' holds weights in its branches or loop ({node.op_type}), which would "
                "stay as they are: export the model without, or take a narrower file from where it comes from"
            )


def _reads(graph: Any, around: set[str]) -> bool:
    """Whether a product or table within ``graph`` has a weight, of its own or of those ``around`` it."""
    weights = around | _tables(graph)
    products = (node for node in graph.node if node.op_type in _WITH_WEIGHTS)
    deeper = (inner for node in graph.node for inner in inner_graphs(node))
    return any(not weights.isdisjoint(node.input) for node in products) or any(_reads(one, weights) for one in deeper)


def _tables(graph: Any) -> set[str]:
    """The names of the floats in rows and columns, or more axes, that ``graph`` itself holds."""
    held = [(tensor.name, tensor) for tensor in graph.initializer]
    held += [(node.output[0], attribute.t) for node in graph.node for attribute in node.attribute if attribute.t.dims]
    return {name for name, tensor in held if tensor.data_type in _FLOATS and len(tensor.dims) > 1}


def _switched_on(model: Model, switch: Any) -> Model:
    """``model`` where it is fixed that there is a cache."""
    fixed = copy_of(model)
    fixed.graph.input.remove(switch)
    shape = [size.dim_value or 1 for size in switch.type.tensor_type.shape.dim]
    kind = onnx.helper.tensor_dtype_to_np_dtype(switch.type.tensor_type.elem_type)
    fixed.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(shape, kind), USE_CACHE))
    return simplified(fixed)


def _reads_alike(plain: Model, merged: Model, prompts: Sequence[Feeds]) -> bool:
    """Whether both give the same for ``prompts``."""
    names = [value.name for value in merged.graph.output]
    expected = _results(merged, names, prompts)
    try:
        actual = _results(plain, names, prompts)
    except Exception:  # ONNX Runtime's exceptions have no base of their own; a branch for one token may take no more
        return False
    return all(map(_close, actual, expected))


def _results(model: Model, names: Sequence[str], prompts: Sequence[Feeds]) -> list[Array]:
    probe = Probe(model, names)
    return [array for feeds in prompts for array in probe.run(feeds).values()]


def _close(actual: Array, expected: Array) -> bool:
    slack = _TOLERANCE * np.abs(expected).max(initial=0)
    return actual.shape == expected.shape and bool(np.allclose(actual, expected, rtol=0, atol=slack))
