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

    ``fraction`` of the whole work is done, 0..1, counted in bytes of ONNX that need building; it moves
    when a part is finished, and within it where the builder tells how far it is. ``eta_s`` is
    how many seconds the rest takes at the speed so far, and ``None`` before there is a speed.
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
        self._within_bytes = 0.0
        self._clock = clock
        self._started_s = clock()

    def add(self, done_bytes: int) -> None:
        """So many bytes more are built."""
        self._done_bytes += done_bytes
        self._within_bytes = 0.0

    def be_within(self, done_bytes: float) -> None:
        """So many bytes of the part that is being built are done."""
        self._within_bytes = done_bytes

    @property
    def fraction(self) -> float:
        """The share that is done, 0..1."""
        return self._so_far_bytes / self._total_bytes if self._total_bytes else 1.0

    @property
    def eta_s(self) -> float | None:
        """Seconds that the rest takes at the speed so far; ``None`` before there is a speed."""
        so_far_bytes = self._so_far_bytes
        if not so_far_bytes:
            return None
        spent_s = self._clock() - self._started_s
        return spent_s * (self._total_bytes - so_far_bytes) / so_far_bytes

    @property
    def _so_far_bytes(self) -> float:
        return self._done_bytes + self._within_bytes
