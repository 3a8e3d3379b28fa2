"""Time as an argument, so that an hour of driving is tested in milliseconds."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""A function that tells the time in seconds; only differences matter."""

monotonic_s: Clock = time.monotonic


class ManualClock:
    """A clock that a test or a simulation moves by hand."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.now_s = now_s

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        self.now_s += seconds
