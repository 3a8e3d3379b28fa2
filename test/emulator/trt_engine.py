"""Engines and execution contexts."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass

import numpy as np

from emulator import pycuda_driver
from emulator.graph import Graph, Value
from emulator.memory import DEVICE, IllegalAddress
from emulator.trt_building import MAGIC, _version
from emulator.trt_types import DataType, Dims, ILogger, TensorIOMode, complain


class Runtime:
    def __init__(self, logger: ILogger) -> None:
        self._logger = logger
        self._host_code = False

    @property
    def engine_host_code_allowed(self) -> bool:
        return self._host_code

    @engine_host_code_allowed.setter
    def engine_host_code_allowed(self, allowed: bool) -> None:
        self._host_code = allowed

    def deserialize_cuda_engine(self, serialized_engine: object) -> ICudaEngine | None:
        pycuda_driver.need_context()
        content = bytes(memoryview(serialized_engine))  # type: ignore[arg-type]
        if not content.startswith(MAGIC):
            complain(self._logger, "the magic tag does not match")
            return None
        header_line, _, graph = content[len(MAGIC) :].partition(b"\n")
        try:
            header = json.loads(header_line)
        except ValueError:
            complain(self._logger, "the engine is damaged")
            return None
        fault = self._fault(header)
        if fault:
            complain(self._logger, fault)
            return None
        return ICudaEngine(Graph(graph), header["profiles"], self._logger)

    def _fault(self, header: dict) -> str:
        if header["any_version"] and not self._host_code:
            return "the engine holds host code, which is not allowed"
        if header["tensorrt"] != _version() and not header["any_version"]:
            return f"the engine was built by version {header['tensorrt']}"
        if header["gpu"] != [pycuda_driver.NAME, *pycuda_driver.COMPUTE_CAPABILITY] and not header["any_gpu"]:
            return f"the engine was built for {header['gpu']}"
        return ""


class ICudaEngine:
    def __init__(self, graph: Graph, profiles: list[dict], logger: ILogger) -> None:
        self._graph = graph
        self._profiles = profiles
        self._logger = logger
        self._values = {value.name: value for value in (*graph.inputs, *graph.outputs)}

    @property
    def num_io_tensors(self) -> int:
        return len(self._values)

    @property
    def num_optimization_profiles(self) -> int:
        return max(1, len(self._profiles))

    def get_tensor_name(self, index: int) -> str:
        return list(self._values)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        is_input = any(value.name == name for value in self._graph.inputs)
        return TensorIOMode.INPUT if is_input else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        return self._values[name].dtype

    def get_tensor_shape(self, name: str) -> Dims:
        return self._values[name].shape

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Dims]:
        fixed = (self._values[name].shape,) * 3
        shapes = self._profiles[profile_index].get(name, fixed) if self._profiles else fixed
        return [Dims(shape) for shape in shapes]

    def create_execution_context(self) -> IExecutionContext:
        pycuda_driver.need_context()
        return IExecutionContext(self)


@dataclass(frozen=True)
class _Bound:
    """A tensor of one run: where it lies and how it looks."""

    value: Value
    address: int
    shape: tuple[int, ...]

    @property
    def end(self) -> int:
        return self.address + math.prod(self.shape) * self.value.numpy_dtype.itemsize

    @property
    def memory(self) -> np.ndarray:
        view = DEVICE.view(self.address, self.end - self.address)
        return view.view(self.value.numpy_dtype).reshape(self.shape)


class IExecutionContext:
    def __init__(self, engine: ICudaEngine) -> None:
        self._engine = engine
        self._profile = 0
        self._shapes: dict[str, Dims] = {}
        self._addresses: dict[str, int] = {}

    def set_optimization_profile_async(self, profile_index: int, stream_handle: int) -> bool:
        pycuda_driver.need_context()
        self._profile = profile_index
        self._shapes = {}  # as the real one: all shapes must be given again
        return profile_index < self._engine.num_optimization_profiles

    def set_input_shape(self, name: str, shape: tuple[int, ...]) -> bool:
        low, _, high = self._engine.get_tensor_profile_shape(name, self._profile)
        if not all(a <= size <= b for a, size, b in zip(low, shape, high, strict=True)):
            complain(self._engine._logger, f"{name}: {shape} is outside profile {self._profile}")
            return False
        self._shapes[name] = Dims(shape)
        return True

    def set_tensor_address(self, name: str, memory: int) -> bool:
        if name not in self._engine._values or memory % 256:
            complain(self._engine._logger, f"{name} cannot lie at {memory:#x}")
            return False
        self._addresses[name] = memory
        return True

    def get_tensor_shape(self, name: str) -> Dims:
        if name in self._shapes:
            return self._shapes[name]
        shape = self._engine._values[name].shape_for(self._sizes())
        if -1 not in shape or len(self._shapes) < len(self._engine._graph.inputs):
            return shape
        return self._engine._graph.infer_shapes(self._shapes)[name]

    def execute_async_v3(self, stream_handle: int) -> bool:
        pycuda_driver.need_context()
        inputs = [self._bound(value) for value in self._engine._graph.inputs]
        outputs = [self._bound(value) for value in self._engine._graph.outputs]

        def execute() -> None:
            _refuse_overlap(inputs, outputs)
            results = self._engine._graph.run({bound.value.name: bound.memory.copy() for bound in inputs})
            for bound, result in zip(outputs, results, strict=True):
                bound.memory[...] = result

        pycuda_driver.enqueue(stream_handle, execute)
        return True

    def _bound(self, value: Value) -> _Bound:
        shape = self.get_tensor_shape(value.name)
        assert -1 not in shape, f"the shape of {value.name} is not known"
        return _Bound(value, self._addresses[value.name], shape)

    def _sizes(self) -> dict[str, int]:
        """The sizes of the dimensions that have names; a name stands for one size."""
        sizes: dict[str, int] = {}
        for value in self._engine._graph.inputs:
            for size, actual in zip(value.sizes, self._shapes.get(value.name, ()), strict=False):
                if isinstance(size, str) and size:
                    assert sizes.setdefault(size, actual) == actual, f"two sizes of {size}"
        return sizes


def _refuse_overlap(inputs: list[_Bound], outputs: list[_Bound]) -> None:
    placed = [*inputs, *outputs]
    for output in outputs:
        for other in placed:
            if other is not output and output.address < other.end and other.address < output.end:
                raise IllegalAddress(f"{output.value.name} is written over {other.value.name}")
