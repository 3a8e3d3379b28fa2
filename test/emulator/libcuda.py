"""The driver's functions for CUDA graphs: a graph is the list of what was put on a stream while it was captured."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from emulator.pycuda_driver import enqueue, need_context, stream_of

INVALID, UNSUPPORTED = 1, 900


class Libcuda:
    """``libcuda.so.1``, as far as it is used; ``refuses`` makes captures fail, ``launches`` counts replays."""

    refuses = False
    launches = 0
    graphs: dict[int, list[Callable[[], None]]] = {}  # noqa: RUF012  # one for the whole device

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
