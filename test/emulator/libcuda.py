"""The driver's functions for CUDA graphs, and for a GPU's memory.

A graph is the list of what was put on a stream while it was captured.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from emulator import pycuda_driver
from emulator.pycuda_driver import Context, enqueue, need_context, stream_of

INVALID, NO_DEVICE, UNSUPPORTED = 1, 101, 900


class Libcuda:
    """``libcuda.so.1``, as far as it is used; ``refuses`` makes captures fail, ``launches`` counts replays and
    ``retained`` who holds the primary context."""

    refuses = False
    launches = 0
    retained = 0
    graphs: dict[int, list[Callable[[], None]]] = {}  # noqa: RUF012  # one for the whole device

    def cuInit(self, flags: int) -> int:  # noqa: N802
        return 0

    def cuDeviceGet(self, device: Any, ordinal: int) -> int:  # noqa: N802
        return 0 if ordinal == 0 else NO_DEVICE

    def cuDeviceGetAttribute(self, value: Any, attribute: int, device: ctypes.c_int) -> int:  # noqa: N802
        assert attribute == pycuda_driver.device_attribute.INTEGRATED
        value._obj.value = int(pycuda_driver.INTEGRATED)
        return 0

    def cuDevicePrimaryCtxRetain(self, context: Any, device: ctypes.c_int) -> int:  # noqa: N802
        type(self).retained += 1
        return 0

    def cuDevicePrimaryCtxRelease_v2(self, device: ctypes.c_int) -> int:  # noqa: N802
        type(self).retained -= 1
        return 0

    def cuCtxPushCurrent_v2(self, context: ctypes.c_void_p) -> int:  # noqa: N802
        Context().push()
        return 0

    def cuCtxPopCurrent_v2(self, context: Any) -> int:  # noqa: N802
        Context.pop()
        return 0

    def cuMemGetInfo_v2(self, free: Any, total: Any) -> int:  # noqa: N802
        free._obj.value, total._obj.value = pycuda_driver.mem_get_info()
        return 0

    def cuStreamBeginCapture_v2(self, stream: ctypes.c_void_p, mode: int) -> int:  # noqa: N802
        need_context()
        assert mode in (0, 1, 2)
        stream_of(stream.value)._captured = []
        return 0

    def cuStreamEndCapture(self, stream: ctypes.c_void_p, graph: Any) -> int:  # noqa: N802
        captured, stream_of(stream.value)._captured = stream_of(stream.value)._captured, None
        if self.refuses:
            return UNSUPPORTED
        return self._put(graph, captured or [])

    def cuGraphInstantiateWithFlags(self, runnable: Any, graph: ctypes.c_void_p, flags: ctypes.c_ulonglong) -> int:  # noqa: N802
        return self._put(runnable, self.graphs[graph.value])

    def cuGraphLaunch(self, runnable: ctypes.c_void_p, stream: ctypes.c_void_p) -> int:  # noqa: N802
        need_context()
        if runnable.value not in self.graphs:
            return INVALID
        type(self).launches += 1
        for task in self.graphs[runnable.value]:
            enqueue(stream.value, task)
        return 0

    def cuGraphDestroy(self, graph: ctypes.c_void_p) -> int:  # noqa: N802
        del self.graphs[graph.value]
        return 0

    def cuGraphExecDestroy(self, runnable: ctypes.c_void_p) -> int:  # noqa: N802
        del self.graphs[runnable.value]
        return 0

    def _put(self, place: Any, tasks: list[Callable[[], None]]) -> int:
        place._obj.value = max(self.graphs, default=0) + 1
        self.graphs[place._obj.value] = tasks
        return 0


def opened_by(real: Callable[..., Any]) -> Callable[..., Any]:
    """``ctypes.CDLL`` that opens this instead of the driver, and all else as ``real`` does."""
    return lambda name, *rest, **more: Libcuda() if name == "libcuda.so.1" else real(name, *rest, **more)
