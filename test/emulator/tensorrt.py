"""The names of ``tensorrt`` that are used."""

from emulator.trt_building import Builder, IBuilderConfig, IOptimizationProfile, ITimingCache
from emulator.trt_engine import ICudaEngine, IExecutionContext, Runtime
from emulator.trt_network import INetworkDefinition, ITensor, OnnxParser, ParserError
from emulator.trt_types import (
    BuilderFlag,
    DataType,
    Dims,
    HardwareCompatibilityLevel,
    IHostMemory,
    ILogger,
    IProgressMonitor,
    MemoryPoolType,
    NetworkDefinitionCreationFlag,
    TensorIOMode,
)

__version__ = "10.3.0"

__all__ = [
    "Builder",
    "BuilderFlag",
    "DataType",
    "Dims",
    "HardwareCompatibilityLevel",
    "IBuilderConfig",
    "ICudaEngine",
    "IExecutionContext",
    "IHostMemory",
    "ILogger",
    "INetworkDefinition",
    "IOptimizationProfile",
    "IProgressMonitor",
    "ITensor",
    "ITimingCache",
    "MemoryPoolType",
    "NetworkDefinitionCreationFlag",
    "OnnxParser",
    "ParserError",
    "Runtime",
    "TensorIOMode",
]
