"""What TensorRT says: to Python's logging, and the errors into the exception that follows."""

from __future__ import annotations

import logging
from collections import deque
from typing import Any

from vlm_ros.runtime.tensorrt.library import trt

_log = logging.getLogger(__name__)
_KEPT_ERRORS = 3
_ILogger: Any = trt.ILogger


class Log(_ILogger):
    """Passes warnings and errors on, and remembers the last errors; the rest is for those who debug."""

    def __init__(self) -> None:
        trt.ILogger.__init__(self)
        self._errors: deque[str] = deque(maxlen=_KEPT_ERRORS)
        self._levels = {
            trt.ILogger.Severity.INTERNAL_ERROR: logging.ERROR,
            trt.ILogger.Severity.ERROR: logging.ERROR,
            trt.ILogger.Severity.WARNING: logging.WARNING,
        }

    def log(self, severity: Any, msg: str) -> None:
        """Called by TensorRT, from any of its threads."""
        level = self._levels.get(severity, logging.DEBUG)
        if level == logging.ERROR:
            self._errors.append(msg)
        _log.log(level, "TensorRT: %s", msg)

    def reason(self) -> str:
        """The last errors, which are then forgotten."""
        said = "; ".join(self._errors) or "TensorRT gave no reason"
        self._errors.clear()
        return said
