"""What happened on a drive, as plain values in the order of time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.motion import Pose, Velocity
from vlm_ros.core.percept import Percept
from vlm_ros.sim.score import Score

T = TypeVar("T")


class Timeline(Generic[T]):
    """Values and the seconds at which they arrived. One thread may add while others read."""

    def __init__(self) -> None:
        self._times_s: list[float] = []
        self._values: list[T] = []

    def add(self, time_s: float, value: T) -> None:
        """Append; the value goes in first, so that whoever sees a time also finds what belongs to it."""
        self._values.append(value)
        self._times_s.append(time_s)

    def at(self, time_s: float) -> T | None:
        """The newest value at ``time_s``; ``None`` before the first."""
        count = bisect_right(self._times_s, time_s)
        return self._values[count - 1] if count else None

    @property
    def newest(self) -> T | None:
        """The last value; ``None`` before the first."""
        return self.at(float("inf"))

    def __len__(self) -> int:
        return len(self._times_s)

    def __iter__(self) -> Iterator[tuple[float, T]]:
        return zip(list(self._times_s), list(self._values))  # noqa: B905 - a value may be there before its time


@dataclass(frozen=True)
class Perceived:
    """A percept, and how old its picture was when it arrived."""

    percept: Percept
    age_s: float


@dataclass(frozen=True)
class Doing:
    """What the navigator says of itself; ``gate`` is empty where the gate let the wish pass."""

    mode: str
    target: str
    state: str
    reason: str
    gate: str
    velocity: Velocity


@dataclass(frozen=True)
class Moment:
    """What was known at ``time_s``; ``None`` for what had not come yet. ``jpeg`` is the picture the robot saw."""

    time_s: float
    jpeg: bytes | None
    said: str
    percept: Percept | None
    doing: Doing | None
    pose: Pose | None


class Recording:
    """Filled by whoever listens to the robot; times count from ``begin`` on.

    At ``end_s`` the robot had done, or given up, what it was told; what comes later shows how it stands.
    """

    def __init__(self, clock: Clock = monotonic_s) -> None:
        self._clock = clock
        self.begin()

    def begin(self) -> None:
        """Forget all, and count the time from now."""
        self._zero_s = self._clock()
        self.end_s = float("inf")
        self.pictures: Timeline[bytes] = Timeline()
        self.percepts: Timeline[Perceived] = Timeline()
        self.words: Timeline[str] = Timeline()
        self.doings: Timeline[Doing] = Timeline()
        self.scores: Timeline[Score] = Timeline()

    @property
    def now_s(self) -> float:
        """Seconds since ``begin``."""
        return self._clock() - self._zero_s

    def moment(self, time_s: float) -> Moment:
        """All that was known at ``time_s``."""
        perceived, score = self.percepts.at(time_s), self.scores.at(time_s)
        return Moment(
            time_s=time_s,
            jpeg=self.pictures.at(time_s),
            said=self.words.at(time_s) or "",
            percept=None if perceived is None else perceived.percept,
            doing=self.doings.at(time_s),
            pose=None if score is None else score.pose,
        )
