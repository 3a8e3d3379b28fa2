"""``pycuda.driver``, as far as it is used."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np

from emulator.memory import DEVICE, POISON, Error

_current = threading.local()
_streams: dict[int, Stream] = {}

NAME = "Emulated GPU"
COMPUTE_CAPABILITY = (8, 7)
FREE_BYTES = 6 << 30
INTEGRATED = False
"""What is free on the device, and whether it is like a Jetson; tests change them."""


class LogicError(Error):
    """A call that makes no sense."""


class device_attribute:  # noqa: N801  # as in PyCUDA
    INTEGRATED = 18


class host_alloc_flags:  # noqa: N801
    DEVICEMAP = 2


class Device:
    def __init__(self, number: int) -> None:
        if number != 0:
            raise LogicError("cuDeviceGet failed: invalid device ordinal")

    @staticmethod
    def count() -> int:
        return 1

    def name(self) -> str:
        return NAME

    def compute_capability(self) -> tuple[int, int]:
        return COMPUTE_CAPABILITY

    def get_attribute(self, attr: int) -> int:
        assert attr == device_attribute.INTEGRATED
        return int(INTEGRATED)

    def retain_primary_context(self) -> Context:
        return Context()


class Context:
    def push(self) -> None:
        _stack().append(self)

    @staticmethod
    def pop() -> None:
        need_context()
        _stack().pop()


class Stream:
    """Work waits here until somebody waits for it."""

    def __init__(self, flags: int = 0) -> None:
        need_context()
        self._work: list[Callable[[], None]] = []
        self._captured: list[Callable[[], None]] | None = None
        self.handle = id(self)
        _streams[self.handle] = self

    def synchronize(self) -> Stream:
        need_context()
        if self._captured is not None:
            raise LogicError("cuStreamSynchronize failed: operation not permitted when stream is capturing")
        work, self._work = self._work, []
        for task in work:
            task()
        return self


class DeviceAllocation:
    def __init__(self, size_bytes: int) -> None:
        self._address = DEVICE.allocate(size_bytes)

    def __int__(self) -> int:
        return self._address

    def __index__(self) -> int:
        return self._address

    def __del__(self) -> None:
        if hasattr(self, "_address"):  # the device was not full
            DEVICE.free(self._address)


class PagelockedHostAllocation:
    """Page-locked memory, which the device reaches too where it is mapped."""

    def __init__(self, memory: np.ndarray, mapped: bool) -> None:
        self._memory = memory
        self._address = DEVICE.allocate(memory.nbytes, memory.reshape(-1).view(np.uint8)) if mapped else None
        self.__array_interface__ = memory.__array_interface__

    def get_device_pointer(self) -> int:
        need_context()
        if self._address is None:
            raise LogicError("cuMemHostGetDevicePointer failed: this memory is not mapped")
        return self._address

    def __del__(self) -> None:
        if self._address is not None:
            DEVICE.free(self._address)


def init(flags: int = 0) -> None:
    """Nothing to be done."""


def mem_get_info() -> tuple[int, int]:
    need_context()
    return FREE_BYTES, 8 << 30


def mem_alloc(bytes: int) -> DeviceAllocation:  # noqa: A002  # as in PyCUDA
    need_context()
    return DeviceAllocation(bytes)


def pagelocked_empty(shape: tuple[int, ...], dtype: object, order: str = "C", mem_flags: int = 0) -> np.ndarray:
    need_context()
    memory = np.full(shape, POISON, dtype, order)
    return np.asarray(PagelockedHostAllocation(memory, bool(mem_flags & host_alloc_flags.DEVICEMAP)))


def memcpy_htod_async(dest: int, src: np.ndarray, stream: Stream) -> None:
    need_context()

    def copy() -> None:
        DEVICE.host_copies += src.nbytes
        DEVICE.view(int(dest), src.nbytes)[:] = _bytes(src)

    enqueue(stream.handle, copy)


def memcpy_dtoh_async(dest: np.ndarray, src: int, stream: Stream) -> None:
    need_context()

    def copy() -> None:
        DEVICE.host_copies += dest.nbytes
        _bytes(dest)[:] = DEVICE.view(int(src), dest.nbytes)

    enqueue(stream.handle, copy)


def memcpy_dtoh(dest: np.ndarray, src: int) -> None:
    need_context()
    DEVICE.host_copies += dest.nbytes
    _bytes(dest)[:] = DEVICE.view(int(src), dest.nbytes)


def need_context() -> None:
    """For the emulator: ``LogicError`` unless this thread has a context."""
    if not _stack():
        raise LogicError("invalid device context: no context is current in this thread")


def enqueue(handle: int, task: Callable[[], None]) -> None:
    """For the emulator: put ``task`` on the stream of that handle, or into what it captures."""
    stream = _streams[handle]
    (stream._work if stream._captured is None else stream._captured).append(task)


def stream_of(handle: int) -> Stream:
    """For the emulator: the stream of that handle."""
    return _streams[handle]


def _stack() -> list[Context]:
    if not hasattr(_current, "contexts"):
        _current.contexts = []
    contexts: list[Context] = _current.contexts
    return contexts


def _bytes(array: np.ndarray) -> np.ndarray:
    assert array.flags.c_contiguous, "PyCUDA copies contiguous arrays only"
    return array.reshape(-1).view(np.uint8)
