"""Runs that are like the one before, started as one CUDA graph instead of kernel by kernel."""

from __future__ import annotations

import logging
from collections.abc import Callable, Hashable
from typing import Any

from vlm_ros.runtime.tensorrt.capture import CaptureFailed, Graph, captured, open_driver

_log = logging.getLogger(__name__)


class Replay:
    """Starts work on ``stream``, which is no other's.

    A run that has the shapes and addresses of the one before is captured, and the next ones are that graph again.
    Any other run drops it: a graph holds shapes and addresses fast, and the execution context has moved on.
    TensorRT wants to have run once with the same shapes before; it has.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._driver = open_driver()
        self._last: Hashable = None
        self._graph: Graph | None = None

    def enqueue(self, run: Hashable, work: Callable[[], bool]) -> bool:
        """Put ``work`` on the stream; ``run`` is all that must be the same for it to be the same work."""
        if run != self._last:
            self.forget()
        elif self._graph is None and self._driver is not None:
            self._graph = self._captured(work)
        self._last = run
        if self._graph is None:
            return work()
        self._graph.launch(self._stream.handle)
        return True

    def forget(self) -> None:
        """Drop the graph; the stream is idle then."""
        self._last = None
        if self._graph is not None:
            self._graph.free()
            self._graph = None

    def _captured(self, work: Callable[[], bool]) -> Graph | None:
        try:
            return captured(self._driver, self._stream.handle, work)
        except CaptureFailed as error:
            _log.info("this engine runs without CUDA graphs (%s)", error)
            self._driver = None
            return None
