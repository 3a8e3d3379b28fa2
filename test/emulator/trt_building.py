"""The builder: its plans are the ONNX graph, with what it was built for in front."""

from __future__ import annotations

import json
import threading

import numpy as np

from emulator import pycuda_driver
from emulator.graph import Graph
from emulator.trt_network import INetworkDefinition
from emulator.trt_types import (
    BuilderFlag,
    HardwareCompatibilityLevel,
    IHostMemory,
    ILogger,
    IProgressMonitor,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    complain,
)

MAGIC = b"ftrt emulated\n"
"""Plans begin with the tag of real ones."""

_TIMED = b"emulated timings"
Shapes = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]


class ITimingCache:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._content)


class IOptimizationProfile:
    def __init__(self) -> None:
        self._shapes: dict[str, Shapes] = {}

    def set_shape(self, input: str, min: tuple, opt: tuple, max: tuple) -> None:  # noqa: A002  # as in TensorRT
        for low, best, high in zip(min, opt, max, strict=True):
            assert 0 <= low <= best <= high
        self._shapes[input] = tuple(min), tuple(opt), tuple(max)

    def _violated(self, graph: Graph) -> str:
        """Which of the shapes the graph cannot have; the largest are left out, since they take long."""
        for which, name in enumerate(("kMIN", "kOPT")):
            shapes = {value.name: self._shapes.get(value.name, (value.shape,) * 3)[which] for value in graph.inputs}
            try:
                graph.run({value.name: np.zeros(shapes[value.name], value.numpy_dtype) for value in graph.inputs})
            except Exception:  # ONNX Runtime's exceptions have no base of their own
                return name
        return ""


class IBuilderConfig:
    def __init__(self) -> None:
        self._profiles: list[IOptimizationProfile] = []
        self._limits: dict[MemoryPoolType, int] = {}
        self._flags: set[BuilderFlag] = {BuilderFlag.TF32}
        self._cache = ITimingCache(b"")
        self._level = 3
        self._compatibility = HardwareCompatibilityLevel.NONE
        self._monitor: IProgressMonitor | None = None

    @property
    def builder_optimization_level(self) -> int:
        return self._level

    @builder_optimization_level.setter
    def builder_optimization_level(self, level: int) -> None:
        assert 0 <= level <= 5
        self._level = level

    @property
    def hardware_compatibility_level(self) -> HardwareCompatibilityLevel:
        return self._compatibility

    @hardware_compatibility_level.setter
    def hardware_compatibility_level(self, level: HardwareCompatibilityLevel) -> None:
        self._compatibility = level

    @property
    def progress_monitor(self) -> IProgressMonitor | None:
        return self._monitor

    @progress_monitor.setter
    def progress_monitor(self, monitor: IProgressMonitor) -> None:
        assert monitor._made, "IProgressMonitor.__init__ was not called"
        self._monitor = monitor

    def set_memory_pool_limit(self, pool: MemoryPoolType, pool_size: int) -> None:
        self._limits[pool] = pool_size

    def set_flag(self, flag: BuilderFlag) -> None:
        self._flags.add(flag)

    def clear_flag(self, flag: BuilderFlag) -> None:
        self._flags.discard(flag)

    def add_optimization_profile(self, profile: IOptimizationProfile) -> int:
        self._profiles.append(profile)
        return len(self._profiles) - 1

    def create_timing_cache(self, serialized_timing_cache: bytes) -> ITimingCache:
        return ITimingCache(bytes(serialized_timing_cache))

    def set_timing_cache(self, cache: ITimingCache, ignore_mismatch: bool) -> bool:
        known = not cache._content or cache._content.startswith(_TIMED)
        if known:
            self._cache = cache
        return known

    def get_timing_cache(self) -> ITimingCache:
        return self._cache


class Builder:
    def __init__(self, logger: ILogger) -> None:
        pycuda_driver.need_context()
        self._logger = logger

    def create_network(self, flags: int = 0) -> INetworkDefinition:
        assert flags == 1 << NetworkDefinitionCreationFlag.STRONGLY_TYPED, "types are the graph's, not the builder's"
        return INetworkDefinition()

    def create_builder_config(self) -> IBuilderConfig:
        return IBuilderConfig()

    def create_optimization_profile(self) -> IOptimizationProfile:
        return IOptimizationProfile()

    def build_serialized_network(self, network: INetworkDefinition, config: IBuilderConfig) -> IHostMemory | None:
        graph = network._graph
        assert graph is not None and network._parser is not None
        assert network._parser() is not None, "the parser is gone, and the weights with it"
        dynamic = {value.name for value in graph.inputs if -1 in value.shape}
        if dynamic and not config._profiles:
            complain(self._logger, "a network with dynamic shapes needs an optimization profile")
            return None
        for profile in config._profiles:
            assert profile._shapes.keys() >= dynamic, "a profile lacks a dynamic input"
        violated = next(filter(None, (profile._violated(graph) for profile in config._profiles)), "")
        if violated:
            complain(
                self._logger, f"{violated} values violate shape constraints: broadcast with incompatible dimensions"
            )
            return None
        if not _tell(config._monitor):
            complain(self._logger, "the build was cancelled")
            return None
        config._cache._content = _TIMED + b"." * (len(config._cache._content) or len(_TIMED))
        header = {
            "tensorrt": _version(),
            "gpu": [pycuda_driver.NAME, *pycuda_driver.COMPUTE_CAPABILITY],
            "profiles": [profile._shapes for profile in config._profiles],
            "any_version": BuilderFlag.VERSION_COMPATIBLE in config._flags,
            "any_gpu": config._compatibility != HardwareCompatibilityLevel.NONE,
            "limits_bytes": {pool.name: limit for pool, limit in config._limits.items()},
            "level": config._level,
            "tf32": BuilderFlag.TF32 in config._flags,
        }
        return IHostMemory(MAGIC + json.dumps(header).encode() + b"\n" + graph.content)


def _version() -> str:
    from emulator import tensorrt

    return tensorrt.__version__


def _tell(monitor: IProgressMonitor | None) -> bool:
    """Report a made-up build from another thread, as TensorRT does; false when it was cancelled."""
    if monitor is None:
        return True
    answers: list[bool] = []

    def build() -> None:
        monitor.phase_start("Building", "", 2)
        for step in range(2):
            monitor.phase_start("Timing", "Building", 4)
            answers.extend(monitor.step_complete("Timing", timed) for timed in range(4))
            monitor.phase_finish("Timing")
            answers.append(monitor.step_complete("Building", step))
        monitor.phase_finish("Building")

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    return all(answers)
