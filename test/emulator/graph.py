"""What an ONNX file says about its inputs and outputs, and what ONNX Runtime makes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from emulator.trt_types import DataType, Dims

_DTYPES = {
    np.dtype(np.float32): DataType.FLOAT,
    np.dtype(np.float16): DataType.HALF,
    np.dtype(np.int64): DataType.INT64,
    np.dtype(np.int32): DataType.INT32,
    np.dtype(np.int8): DataType.INT8,
    np.dtype(np.uint8): DataType.UINT8,
    np.dtype(np.bool_): DataType.BOOL,
}


@dataclass(frozen=True)
class Value:
    """One input or output; ``sizes`` holds the name, which may be empty, or the number of each dimension."""

    name: str
    numpy_dtype: np.dtype
    sizes: tuple[int | str, ...]

    @property
    def dtype(self) -> DataType:
        return _DTYPES.get(self.numpy_dtype, DataType.BF16)

    @property
    def shape(self) -> Dims:
        return Dims(size if isinstance(size, int) else -1 for size in self.sizes)

    def shape_for(self, sizes: Mapping[str, int]) -> Dims:
        """The shape where the dimensions have these sizes; names may be sums, such as ``past + sequence``."""
        return Dims(size if isinstance(size, int) else _sum(size, sizes) for size in self.sizes)


def model_from_file(path: Path) -> onnx.ModelProto:
    """The model with its external data, which the parser reads as a plain file, through links too."""
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        entries = {entry.key: entry.value for entry in tensor.external_data}
        if entries:
            content = (path.parent / entries["location"]).read_bytes()
            start = int(entries.get("offset", 0))
            tensor.raw_data = content[start : start + int(entries.get("length", len(content) - start))]
            tensor.ClearField("external_data")
            tensor.data_location = onnx.TensorProto.DEFAULT
    return model


class Graph:
    """A model with its external data, as bytes that stand alone."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        model = onnx.load_from_string(content)
        constants = {constant.name for constant in model.graph.initializer}
        self.inputs = [_value(value) for value in model.graph.input if value.name not in constants]
        self.outputs = [_value(value) for value in model.graph.output]
        self.nodes = [(node.name or node.output[0], node.op_type) for node in model.graph.node]
        self._session: onnxruntime.InferenceSession | None = None
        self._inferred: dict[tuple, dict[str, Dims]] = {}

    def infer_shapes(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Dims]:
        """The shape of every output where the inputs have ``shapes``; -1 for sizes that depend on values."""
        key = tuple(sorted(shapes.items()))
        if key not in self._inferred:
            inferred = _inferred(onnx.load_from_string(self.content), shapes)
            known = all(-1 not in shape for shape in inferred.values())
            self._inferred[key] = inferred if known else self._tried(shapes) or inferred
        return self._inferred[key]

    def _tried(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Dims]:
        """As ``infer_shapes``, where ONNX cannot divide sizes as TensorRT does; empty where values change a size."""
        runs = []
        for number in (0, 1):
            feeds = {value.name: np.full(shapes[value.name], number, value.numpy_dtype) for value in self.inputs}
            runs.append([Dims(output.shape) for output in self.run(feeds)])
        names = [value.name for value in self.outputs]
        return dict(zip(names, runs[0], strict=True)) if runs[0] == runs[1] else {}

    def run(self, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
        if self._session is None:
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads = 1
            self._session = onnxruntime.InferenceSession(self.content, options)
        return self._session.run([value.name for value in self.outputs], dict(feeds))


def _inferred(model: onnx.ModelProto, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Dims]:
    for value in (*model.graph.input, *model.graph.output):
        for axis, size in enumerate(value.type.tensor_type.shape.dim):
            if value.name in shapes:
                size.dim_value = shapes[value.name][axis]
            elif size.dim_param:
                size.Clear()
    del model.graph.value_info[:]
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {
        value.name: Dims(
            size.dim_value if size.HasField("dim_value") else -1 for size in value.type.tensor_type.shape.dim
        )
        for value in graph.output
    }


def _value(value: onnx.ValueInfoProto) -> Value:
    tensor = value.type.tensor_type
    sizes = tuple(size.dim_value if size.HasField("dim_value") else size.dim_param for size in tensor.shape.dim)
    return Value(value.name, np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type)), sizes)


def _sum(name: str, sizes: Mapping[str, int]) -> int:
    terms = [sizes.get(term.strip(), -1) for term in name.split("+")]
    return -1 if -1 in terms else sum(terms)
