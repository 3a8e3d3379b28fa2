"""Half precision, with single precision kept where half would overflow or vanish."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from vlm_ros.build.precision.graph import (
    Array,
    Feeds,
    all_nodes,
    constants,
    copy_of,
    drop_unused,
    named_nodes,
    names_of,
    opset_of,
    set_nodes,
)
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.build.precision.probe import layer_names, result_types
from vlm_ros.build.precision.ranges import leaves_fp16, measured_peaks
from vlm_ros.core.errors import BuildFailed

FP32, FP16 = onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16
_LARGEST = float(np.finfo(np.float16).max)
_CACHE = ("past_key_values.", "present.")
_TYPE_ATTRIBUTES = ("to", "dtype", "output_dtype")
_SAYS_TYPE = (*_TYPE_ATTRIBUTES, "value")
"""Without one of them, what does not follow from the type of an input is fp32."""


def fp16_from_fp32(model: Model, samples: Sequence[Feeds]) -> Model:
    """``model`` in fp16 but for the nodes that leave its range on ``samples``, or take no fp16 by the standard.

    Between two nodes that stay in fp32 nothing is narrowed. The caches of a decoder become fp16, unless an operator
    beyond the standard reads them, which may count on its cache being an input; all other inputs and outputs stay as
    they are, so that parts of different precisions go together: states among them, which sum up what thousands of
    tokens left. So do loops that read nothing but their inputs, as a Scan over chunks.
    Raises ``BuildFailed`` for a graph with other loops or branches.
    """
    named = named_nodes(copy_of(model))
    peaks = measured_peaks(named, samples)
    opset = opset_of(named)
    kept = {node.name for node in named.graph.node if leaves_fp16(node, peaks) or not _takes_fp16(node, opset)}
    return narrowed(named, kept)


def narrowed(model: Model, kept: Collection[str]) -> Model:
    """``model`` in fp16 but for the nodes whose names are in ``kept``."""
    return _Narrowing(copy_of(model), kept).run()


class _Narrowing:
    """Makes everything in ``model`` fp16 but the nodes ``kept`` by name."""

    def __init__(self, model: Model, kept: Collection[str]) -> None:
        self._model = model
        self._kept = kept
        self._floats = _float_names(model)
        self._weights = constants(model)
        self._outputs = {output.name for output in model.graph.output} & self._floats
        self._narrow: set[str] = set()
        self._cast: set[str] = set()
        self._taken = names_of(model)
        self._read_elsewhere = {
            name for node in model.graph.node if not _is_standard(node) for name in (*node.input, *node.output)
        }

    def run(self) -> Model:
        """The model, changed."""
        graph = self._model.graph
        for value in (*graph.input, *graph.output):
            if value.name in self._floats - self._read_elsewhere and value.name.startswith(_CACHE):
                value.type.tensor_type.elem_type = FP16
                self._narrow.add(value.name)
        set_nodes(self._model, [made for node in graph.node for made in self._converted(node)])
        del graph.value_info[:]
        drop_unused(self._model)
        return self._model

    def _converted(self, node: Node) -> Iterator[Node]:
        """``node`` in its precision, between the casts that it needs."""
        wide = node.name in self._kept
        for place, name in enumerate(node.input):
            if name in self._floats and (name in self._narrow) == wide:
                node.input[place] = self._other(name, wide)
                yield from self._casted(name, wide)
        if not wide:
            _narrow_attributes(node)
        casts = []
        for place, name in enumerate(node.output):
            if name in self._outputs and (name in self._narrow) == wide:
                node.output[place] = self._other(name, wide)
                casts.append(_cast(node.output[place], name, FP16 if wide else FP32))
            elif name in self._floats and not wide:
                self._narrow.add(name)
        yield node
        yield from casts

    def _other(self, name: str, wide: bool) -> str:
        """What ``name`` is called in the other precision."""
        other = f"{name}_{'fp32' if wide else 'fp16'}"
        while not self._taken.isdisjoint({other, _cast_name(other)}):
            other += "_"
        return other

    def _casted(self, name: str, wide: bool) -> Iterator[Node]:
        """What makes ``name`` in the other precision, where nothing did before."""
        result = self._other(name, wide)
        if result in self._cast:
            return
        self._cast.add(result)
        if name in self._weights:
            self._model.graph.initializer.append(onnx.numpy_helper.from_array(_halved(self._weights[name]), result))
        else:
            yield _cast(name, result, FP32 if wide else FP16)


def _cast(source: str, target: str, kind: int) -> Node:
    return onnx.helper.make_node("Cast", [source], [target], name=_cast_name(target), to=kind)


def _cast_name(target: str) -> str:
    return f"{target}_cast"


def _halved(weight: Array) -> Array:
    """In fp16; what is finite stays finite."""
    return np.where(np.isfinite(weight), weight.clip(-_LARGEST, _LARGEST), weight).astype(np.float16)


def _narrow_attributes(node: Node) -> None:
    for attribute in node.attribute:
        if attribute.name in _TYPE_ATTRIBUTES and attribute.i == FP32:
            attribute.i = FP16
        if attribute.t.data_type == FP32:
            attribute.t.CopyFrom(onnx.numpy_helper.from_array(_halved(onnx.numpy_helper.to_array(attribute.t))))


def _float_names(model: Model) -> set[str]:
    """Everything in ``model`` that is fp32. Behind operators that ONNX does not know, ONNX Runtime tells."""
    known = onnx.shape_inference.infer_shapes(_without_weights(model)).graph
    kinds = {value.name: _kind(value) for value in (*known.input, *known.output, *known.value_info)}
    names = {name for name, kind in kinds.items() if kind == FP32}
    untold = [name for name in layer_names(model) if not kinds.get(name)]
    names |= {name for name, kind in result_types(model, untold).items() if kind == "tensor(float)"}
    return names | {tensor.name for tensor in model.graph.initializer if tensor.data_type == FP32}


def _without_weights(model: Model) -> Model:
    """Only what types follow from, small enough for any model: weights become inputs."""
    bare = onnx.ModelProto()
    bare.opset_import.extend(model.opset_import)
    bare.ir_version = model.ir_version
    graph = bare.graph
    graph.name = "types"
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return bare


def _kind(value: object) -> int:
    return int(value.type.tensor_type.elem_type)  # type: ignore[attr-defined]


def _stands_alone(graph: Any) -> bool:
    """Whether ``graph``, which is within a node, reads nothing of what is around it."""
    own = {value.name for value in (*graph.input, *graph.initializer)}
    own |= {name for node in all_nodes(graph) for name in node.output}
    read = {name for node in all_nodes(graph) for name in node.input} | {value.name for value in graph.output}
    return read <= own | {""}


def _is_standard(node: Node) -> bool:
    return node.domain in ("", "ai.onnx")


def _takes_fp16(node: Node, opset: int) -> bool:
    """Whether the standard lets the floats of ``node`` be fp16."""
    graphs = [attribute.g for attribute in node.attribute if attribute.HasField("g")]
    if graphs and not all(map(_stands_alone, graphs)):
        raise BuildFailed(f"'{node.name}' is a branch or a loop ({node.op_type}): export the model without, then again")
    if graphs:
        return False
    if not _is_standard(node):
        return False
    schema = onnx.defs.get_schema(node.op_type, opset, "")
    kinds = {constraint.type_param_str: constraint.allowed_type_strs for constraint in schema.type_constraints}
    as_wished = all("tensor(float16)" in kind for kind in kinds.values() if "tensor(float)" in kind)
    return as_wished and not _fixed_floats(node, schema, kinds)


def _fixed_floats(node: Node, schema: Any, kinds: Mapping[str, Collection[str]]) -> bool:
    """Whether an input or output of ``node`` is fp32 whatever the others are, such as the scales of a Resize."""
    read = {formal.type_str for formal, name in zip(schema.inputs, node.input, strict=False) if name}
    made = {formal.type_str for formal, name in zip(schema.outputs, node.output, strict=False) if name}
    told = any(attribute.name in _SAYS_TYPE for attribute in node.attribute)
    by_default = not told and any("tensor(float)" in kinds.get(kind, ()) for kind in made - read)
    return by_default or "tensor(float)" in read | made
