"""What the passes ask of a graph, and small changes that they all need."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from numpy.typing import NDArray

from vlm_ros.build.precision.onnx_library import INSTALL, Model, Node, onnx
from vlm_ros.core.errors import require

Array = NDArray[Any]

Feeds = Mapping[str, Array]
"""Inputs of one run, by name."""


def copy_of(model: Model) -> Model:
    """A model that may be changed without changing ``model``."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


def simplified(model: Model) -> Model:
    """``model`` without what can be computed beforehand or is never used."""
    optimizer: Any = require("onnxscript.optimizer", INSTALL)
    return optimizer.optimize(copy_of(model))


def named_nodes(model: Model) -> Model:
    """``model`` with a name for every node, none twice."""
    seen: set[str] = set()
    for number, node in enumerate(model.graph.node):
        if not node.name or node.name in seen:
            node.name = f"{node.op_type}_{number}"
        seen.add(node.name)
    return model


def opset_of(model: Model) -> int:
    """The version of the standard operators that ``model`` uses."""
    versions = [entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")]
    return int(max(versions, default=1))


def with_opset(model: Model, opset: int) -> Model:
    """``model`` in operators of ``opset`` or newer."""
    if opset_of(model) >= opset:
        return model
    model.ir_version = max(model.ir_version, 10)
    regrouped = any(node.op_type == "GroupNormalization" for node in model.graph.node)
    if opset_of(model) < 20 or opset > 21 or regrouped:
        return onnx.version_converter.convert_version(model, opset)
    for entry in model.opset_import:  # from 20 to 21 only types were added, which needs no copy of the weights
        if entry.domain in ("", "ai.onnx"):
            entry.version = opset
    return model


def constants(model: Model) -> dict[str, Array]:
    """The weights of the main graph by name."""
    return {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def names_of(model: Model) -> set[str]:
    """What anything in ``model`` is called: nodes, and what they read and give, also in the graphs within them."""
    named = (*model.graph.input, *model.graph.output, *model.graph.value_info, *model.graph.initializer)
    names = {value.name for value in named}
    for node in all_nodes(model.graph):
        names |= {node.name, *node.input, *node.output}
        names |= {value.name for inner in inner_graphs(node) for value in (*inner.input, *inner.initializer)}
    return names


def set_nodes(model: Model, nodes: Iterable[Node]) -> None:
    """Give ``model`` these ``nodes``, once each: of those that make the same result, the first."""
    once: dict[str, Node] = {}
    for node in nodes:
        once.setdefault(node.output[0], node)
    del model.graph.node[:]
    model.graph.node.extend(once.values())


def drop_unused(model: Model) -> None:
    """Take out weights that no node reads any more, also where old files list them among the inputs."""
    graph = model.graph
    used = {name for node in all_nodes(graph) for name in node.input}
    used |= {output.name for output in graph.output}
    unused = {tensor.name for tensor in graph.initializer} - used
    for values in (graph.initializer, graph.input):
        kept = [value for value in values if value.name not in unused]
        del values[:]
        values.extend(kept)


def all_nodes(graph: Any) -> Iterable[Node]:
    """The nodes of ``graph`` and of the graphs within them."""
    for node in graph.node:
        yield node
        for inner in inner_graphs(node):
            yield from all_nodes(inner)


def inner_graphs(node: Node) -> Iterator[Any]:
    """The branches of ``node``, or the body of its loop."""
    for attribute in node.attribute:
        yield from (*([attribute.g] if attribute.HasField("g") else ()), *attribute.graphs)


def all_tensors(model: Any) -> Iterator[Any]:
    """The weights of ``model`` and of the graphs within its nodes, and the constants in its nodes and functions."""
    for holder in (model.graph, *model.functions):
        yield from getattr(holder, "initializer", ())
        for node in all_nodes(holder):
            for attribute in node.attribute:
                yield from (attribute.t, *attribute.tensors)
            for inner in inner_graphs(node):
                yield from inner.initializer
