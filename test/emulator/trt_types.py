"""Enumerations, shapes and the classes that a caller derives from."""

from __future__ import annotations

from enum import IntEnum


class Dims(tuple):
    """A shape; -1 stands for a size that is not known yet."""


class DataType(IntEnum):
    FLOAT = 0
    HALF = 1
    INT8 = 2
    INT32 = 3
    BOOL = 4
    UINT8 = 5
    BF16 = 7
    INT64 = 8


class TensorIOMode(IntEnum):
    NONE = 0
    INPUT = 1
    OUTPUT = 2


class NetworkDefinitionCreationFlag(IntEnum):
    STRONGLY_TYPED = 1


class BuilderFlag(IntEnum):
    TF32 = 6
    VERSION_COMPATIBLE = 13


class MemoryPoolType(IntEnum):
    WORKSPACE = 0
    TACTIC_DRAM = 4
    TACTIC_SHARED_MEMORY = 5


class HardwareCompatibilityLevel(IntEnum):
    NONE = 0
    AMPERE_PLUS = 1


class _Severity(IntEnum):
    INTERNAL_ERROR = 0
    ERROR = 1
    WARNING = 2
    INFO = 3
    VERBOSE = 4


class ILogger:
    """A derived class must call this ``__init__``, as with the real one."""

    Severity = _Severity

    def __init__(self) -> None:
        self._made = True

    def log(self, severity: _Severity, msg: str) -> None:
        raise NotImplementedError


class IProgressMonitor:
    """A derived class must call this ``__init__``, as with the real one."""

    def __init__(self) -> None:
        self._made = True

    def phase_start(self, phase_name: str, parent_phase: str, num_steps: int) -> None:
        raise NotImplementedError

    def step_complete(self, phase_name: str, step: int) -> bool:
        raise NotImplementedError

    def phase_finish(self, phase_name: str) -> None:
        raise NotImplementedError


class IHostMemory(bytes):
    """Bytes that TensorRT owns."""

    @property
    def nbytes(self) -> int:
        return len(self)


def complain(logger: ILogger, message: str) -> None:
    """For the emulator: log an error."""
    assert logger._made, "ILogger.__init__ was not called"
    logger.log(ILogger.Severity.ERROR, message)
