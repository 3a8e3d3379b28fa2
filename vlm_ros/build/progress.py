"""How far a build is, told without guessing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from vlm_ros.core.clock import Clock


class Stage(Enum):
    """What is being done with the part."""

    CHECKING = "checking"
    BUILDING = "building"
    READY = "ready"


@dataclass(frozen=True)
class Progress:
    """One report. ``part`` is empty when all are ready.

    ``fraction`` of the whole work is done, 0..1, counted in bytes of ONNX that need building; it
    moves when a part is finished, since no builder tells how far inside a part it is. ``eta_s`` is
    how many seconds the rest takes at the speed so far, and ``None`` before the first part is built.
    ``cached`` is whether the part was there already.
    """

    part: str
    stage: Stage
    fraction: float
    eta_s: float | None
    cached: bool
    message: str


OnProgress = Callable[[Progress], None]


def silent(progress: Progress) -> None:
    """An ``OnProgress`` for those who do not watch."""


class Meter:
    """Counts the bytes of a build that takes ``total_bytes``, from now on."""

    def __init__(self, total_bytes: int, clock: Clock) -> None:
        self._total_bytes = total_bytes
        self._done_bytes = 0
        self._clock = clock
        self._started_s = clock()

    def add(self, done_bytes: int) -> None:
        """So many bytes more are built."""
        self._done_bytes += done_bytes

    @property
    def fraction(self) -> float:
        """The share that is done, 0..1."""
        return self._done_bytes / self._total_bytes if self._total_bytes else 1.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that the rest takes at the speed so far; ``None`` before there is a speed."""
        if not self._done_bytes:
            return None
        spent_s = self._clock() - self._started_s
        return spent_s * (self._total_bytes - self._done_bytes) / self._done_bytes
