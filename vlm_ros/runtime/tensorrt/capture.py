"""Work on a stream as a CUDA graph, through the driver's own functions: PyCUDA does not wrap these.

Names and constants are those of cuda.h, where they stand since CUDA 11.4.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any

SWITCH = "VLM_ROS_CUDA_GRAPHS"
"""Set to 0 in the environment, nothing is captured."""

_LIBRARY = "libcuda.so.1"
_THIS_THREAD = 1
"""CU_STREAM_CAPTURE_MODE_THREAD_LOCAL: what other threads do meanwhile is no part of it, and allowed."""


class CaptureFailed(Exception):
    """Work that cannot be captured, with the number of CUDA's error."""


class Graph:
    """Captured work that is started again in one call; it reads and writes where it did."""

    def __init__(self, driver: Any, captured: ctypes.c_void_p) -> None:
        self._driver = driver
        self._runnable = ctypes.c_void_p()
        try:
            _check(driver.cuGraphInstantiateWithFlags(ctypes.byref(self._runnable), captured, ctypes.c_ulonglong(0)))
        finally:
            driver.cuGraphDestroy(captured)

    def launch(self, stream: int) -> None:
        """Put the work on ``stream``; ``CaptureFailed`` where CUDA refuses."""
        _check(self._driver.cuGraphLaunch(self._runnable, ctypes.c_void_p(stream)))

    def free(self) -> None:
        """Give back what it holds; the stream is idle then."""
        self._driver.cuGraphExecDestroy(self._runnable)


def open_driver() -> Any:
    """The driver's library; ``None`` where it is not here, too old, or ``VLM_ROS_CUDA_GRAPHS`` says no."""
    if os.environ.get(SWITCH) == "0":
        return None
    try:
        driver = ctypes.CDLL(_LIBRARY)
        return driver if driver.cuGraphInstantiateWithFlags else None
    except (OSError, AttributeError):
        return None


def captured(driver: Any, stream: int, work: Callable[[], bool]) -> Graph:
    """What ``work`` puts on ``stream``, which is not run yet; ``CaptureFailed`` where it cannot be captured."""
    _check(driver.cuStreamBeginCapture_v2(ctypes.c_void_p(stream), _THIS_THREAD))
    graph = ctypes.c_void_p()
    accepted = False
    try:
        accepted = work()
    finally:
        ended = driver.cuStreamEndCapture(ctypes.c_void_p(stream), ctypes.byref(graph))
    _check(ended)
    if not accepted:
        driver.cuGraphDestroy(graph)
        raise CaptureFailed("TensorRT refuses")
    return Graph(driver, graph)


def _check(code: int) -> None:
    if code:
        raise CaptureFailed(f"CUDA error {code}")
