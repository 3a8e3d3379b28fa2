"""A plan from a file: TensorRT's engine, with its tensors and the shapes that it was tuned for."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vlm_ros.core.errors import BuildFailed, MissingEngine
from vlm_ros.runtime.runner import TensorSpec
from vlm_ros.runtime.tensorrt.library import trt
from vlm_ros.runtime.tensorrt.log import Log
from vlm_ros.runtime.tensorrt.memory import Shape

_DTYPES = {
    trt.DataType.FLOAT: np.float32,
    trt.DataType.HALF: np.float16,
    trt.DataType.INT64: np.int64,
    trt.DataType.INT32: np.int32,
    trt.DataType.INT8: np.int8,
    trt.DataType.UINT8: np.uint8,
    trt.DataType.BOOL: np.bool_,
}


@dataclass(frozen=True)
class Profile:
    """The smallest and the largest shape of each input that one set of kernels takes."""

    smallest: Mapping[str, Shape]
    largest: Mapping[str, Shape]

    def misfit(self, shapes: Mapping[str, Shape]) -> str | None:
        """The first input whose shape lies outside; ``None`` where all fit."""
        for name, shape in shapes.items():
            limits = zip(self.smallest[name], shape, self.largest[name], strict=True)
            if not all(low <= size <= high for low, size, high in limits):
                return name
        return None


@dataclass(frozen=True)
class Plan:
    """An engine and what it takes and gives.

    ``profiles`` stand in the order in which they were built: the most special first.
    """

    engine: Any
    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]
    profiles: tuple[Profile, ...]

    def choose_profile(self, shapes: Mapping[str, Shape]) -> int:
        """The first profile that takes ``shapes``; ``ValueError`` naming the input that fits none."""
        misfits = [profile.misfit(shapes) for profile in self.profiles]
        if None in misfits:
            return misfits.index(None)
        name, widest = misfits[-1], self.profiles[-1]
        assert name is not None
        raise ValueError(
            f"input '{name}' has shape {shapes[name]}: this engine takes {widest.smallest[name]} to "
            f"{widest.largest[name]}; build it for longer prompts or larger batches, or give less"
        )


def load_plan(path: Path, log: Log, *, trust_code: bool = False) -> Plan:
    """The plan in ``path``, in the current context.

    ``trust_code`` lets a plan that was built for many versions of TensorRT bring its own runtime along,
    which is code. ``MissingEngine`` where there is no file, ``BuildFailed`` where it is not for this GPU.
    """
    if not path.is_file():
        raise MissingEngine(f"there is no engine at '{path}': build the model again, or correct the path")
    runtime = trt.Runtime(log)
    runtime.engine_host_code_allowed = trust_code
    engine = _deserialize(runtime, path)
    if engine is None:
        raise BuildFailed(
            f"TensorRT {trt.__version__} cannot load '{path}' on this GPU ({log.reason()}): build it again here"
        )
    specs = {name: _spec(engine, name) for name in map(engine.get_tensor_name, range(engine.num_io_tensors))}
    inputs = {name: spec for name, spec in specs.items() if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT}
    outputs = {name: spec for name, spec in specs.items() if name not in inputs}
    profiles = tuple(_profile(engine, list(inputs), index) for index in range(engine.num_optimization_profiles))
    limited = {name: replace(spec, largest=_largest(name, profiles)) for name, spec in inputs.items()}
    return Plan(engine, limited, outputs, profiles)


def _deserialize(runtime: Any, path: Path) -> Any:
    """The engine in ``path``, read from the disk as TensorRT asks for it instead of through a copy in memory."""
    if not path.stat().st_size:
        return None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return runtime.deserialize_cuda_engine(content)


def _spec(engine: Any, name: str) -> TensorSpec:
    dtype = engine.get_tensor_dtype(name)
    if dtype not in _DTYPES:
        raise BuildFailed(f"'{name}' is a {dtype}, unknown to NumPy: export the model with another type there")
    shape = (f"{name}_{axis}" if size < 0 else int(size) for axis, size in enumerate(engine.get_tensor_shape(name)))
    return TensorSpec(name, np.dtype(_DTYPES[dtype]), tuple(shape))


def _profile(engine: Any, inputs: list[str], index: int) -> Profile:
    shapes = {name: engine.get_tensor_profile_shape(name, index) for name in inputs}
    smallest = {name: tuple(low) for name, (low, _, _) in shapes.items()}
    return Profile(smallest, {name: tuple(high) for name, (_, _, high) in shapes.items()})


def _largest(name: str, profiles: tuple[Profile, ...]) -> Shape:
    """The largest shape of the input ``name`` that any of ``profiles`` takes, size by size."""
    return tuple(max(sizes) for sizes in zip(*(profile.largest[name] for profile in profiles), strict=True))
