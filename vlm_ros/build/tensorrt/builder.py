"""Engines for TensorRT: plans for this GPU, with the precision that the graph has."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vlm_ros.build.builder import UNWATCHED, Watch
from vlm_ros.build.tensorrt.monitor import Monitor
from vlm_ros.build.tensorrt.options import LEVELS, PORTABLE, TensorRtOptions
from vlm_ros.build.tensorrt.parsing import parsed
from vlm_ros.build.tensorrt.profiles import Limits, Sizes, profiles_of
from vlm_ros.build.tensorrt.timing_cache import TimingCache
from vlm_ros.core.errors import BadConfig, BuildFailed, Cancelled
from vlm_ros.runtime.tensorrt.gpu import open_gpu
from vlm_ros.runtime.tensorrt.library import trt
from vlm_ros.runtime.tensorrt.log import Log


class TensorRtBuilder:
    """Builds on GPU ``device`` for shapes up to ``limits``; ``timings`` is the folder of the timing cache."""

    def __init__(
        self,
        limits: Limits | None = None,
        options: TensorRtOptions | None = None,
        *,
        device: int = 0,
        timings: Path | None = None,
    ) -> None:
        self._options = options or TensorRtOptions()
        limits = limits or Limits()
        self._limits = dataclasses.replace(limits, batch=max(limits.batch, self._options.batch))
        if self._options.level not in LEVELS:
            raise BadConfig(f"optimisation level {self._options.level}: take 0 (built soonest) to 5 (runs fastest)")
        if self._options.batch < 1:
            raise BadConfig(f"engines for {self._options.batch} questions at once: take 1 or more")
        if self._options.portable not in PORTABLE:
            raise BadConfig(f"engines that are portable '{self._options.portable}': take {', '.join(PORTABLE)}")
        self._gpu = open_gpu(device)
        self._timings = TimingCache(f"tensorrt {trt.__version__}", self._gpu.name, timings)

    @property
    def runtime(self) -> str:
        """TensorRT and the version that its plans run on."""
        version = f"{trt.__version__.split('.')[0]}.*" if self._options.any_version else trt.__version__
        return f"tensorrt {version}"

    @property
    def device(self) -> str:
        """The GPU and its compute capability."""
        if self._options.any_gpu:
            return "NVIDIA GPU of compute capability 8.0 or later"
        return f"{self._gpu.name} of compute capability {self._gpu.compute_capability}"

    @property
    def shapes(self) -> str:
        """The largest shapes."""
        return str(self._limits)

    @property
    def batch(self) -> int:
        """How many questions at once."""
        return self._options.batch

    @property
    def portable(self) -> str:
        """How far its plans go."""
        return self._options.portable

    def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
        """Write the plan of ``onnx`` to ``engine``; ``BuildFailed`` with TensorRT's reason, or ``Cancelled``."""
        log, monitor = Log(), Monitor(watch)
        with self._gpu.current():
            builder = trt.Builder(log)
            config = self._config(builder, monitor)
            with parsed(onnx, builder, log) as network:
                _add_profiles(builder, config, network, self._limits)
                plan = builder.build_serialized_network(network, config)
            if monitor.stopped:
                raise Cancelled(f"building '{onnx}' was stopped on the way")
            if plan is None:
                raise BuildFailed(
                    f"TensorRT {trt.__version__} cannot build '{onnx}' ({log.reason()}): "
                    "free memory, build at a smaller precision, or for shorter prompts"
                )
            self._timings.keep(config)
            with engine.open("wb") as file:
                file.write(plan)

    def _config(self, builder: Any, monitor: Monitor) -> Any:
        options = self._options
        config = builder.create_builder_config()
        for pool, limit_bytes in self._limits_bytes().items():
            config.set_memory_pool_limit(pool, limit_bytes)
        config.builder_optimization_level = options.level
        config.progress_monitor = monitor
        config.clear_flag(trt.BuilderFlag.TF32)  # fp32 in the graph is fp32
        if options.any_version:
            config.set_flag(trt.BuilderFlag.VERSION_COMPATIBLE)
        if options.any_gpu:
            config.hardware_compatibility_level = trt.HardwareCompatibilityLevel.AMPERE_PLUS
        self._timings.attach(config)
        return config

    def _limits_bytes(self) -> dict[Any, int]:
        """The memory that each pool may take."""
        options, pools = self._options, trt.MemoryPoolType
        wanted = {
            pools.WORKSPACE: options.workspace_bytes or self._gpu.free_bytes // 2,
            pools.TACTIC_DRAM: options.tactic_bytes,
            pools.TACTIC_SHARED_MEMORY: options.shared_memory_bytes,
        }
        return {pool: limit_bytes for pool, limit_bytes in wanted.items() if limit_bytes is not None}


def _add_profiles(builder: Any, config: Any, network: Any, limits: Limits) -> None:
    inputs = [network.get_input(index) for index in range(network.num_inputs)]
    shapes = {tensor.name: _shape(tensor) for tensor in inputs}
    dimensions = {size for shape in shapes.values() for size in shape if isinstance(size, str)}
    if not dimensions:
        return
    for sizes in profiles_of(sorted(dimensions), limits):
        profile = builder.create_optimization_profile()
        for name, shape in shapes.items():
            profile.set_shape(name, *_shapes(shape, sizes))
        config.add_optimization_profile(profile)


def _shape(tensor: Any) -> list[int | str]:
    """The shape of ``tensor``, with the names of its dynamic dimensions."""
    return [_name(tensor, axis) if size < 0 else int(size) for axis, size in enumerate(tensor.shape)]


def _name(tensor: Any, axis: int) -> str:
    return tensor.get_dimension_name(axis) or f"{tensor.name}[{axis}]"


def _shapes(shape: list[int | str], sizes: Mapping[str, Sizes]) -> list[tuple[int, ...]]:
    """The smallest, the usual and the largest ``shape``."""
    return [tuple(sizes[size][which] if isinstance(size, str) else size for size in shape) for which in range(3)]
