"""Changes a graph: names, types, inputs, and what stands in front of them or behind."""

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


def add_input(model: Model, name: str, kind: int, shape: list) -> None:
    """An input that changes nothing."""
    model.graph.input.append(helper.make_tensor_value_info(name, kind, shape))
