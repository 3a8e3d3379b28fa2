"""A second look before the robot says found: several pictures from a standing robot that nods a little."""

from __future__ import annotations

import math
from enum import Enum

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Percept, Range
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import seen_in

_NODS_RAD = tuple(math.radians(degrees) for degrees in (0.0, 7.0, -7.0))
_STANDING_M = 0.04
_APART_S = 0.25


class Verdict(Enum):
    """What the second look says."""

    OPEN = "open"
    NEAR = "near"
    TOO_FAR = "too far"
    NOTHING = "nothing"


class Confirmation:
    """Counts votes of pictures that were taken after the robot came to stand."""

    def __init__(self, looks: int, share: float) -> None:
        self._looks, self._share = looks, share
        self._votes: list[Percept] = []
        self._last: Percept | None = None

    @property
    def nod_rad(self) -> float:
        """How far beside the target the robot should look for the next picture."""
        return _NODS_RAD[len(self._votes) % len(_NODS_RAD)]

    def vote(self, senses: Senses) -> Verdict:
        """Count the newest percept where it is a new one, taken where the robot now stands."""
        percept = senses.percept
        if (
            percept is not None
            and percept is not self._last
            and self._counts(percept, seen_in(senses.pose, senses.seen_from))
        ):
            self._votes.append(percept)
        self._last = percept
        if len(self._votes) < self._looks:
            return Verdict.OPEN
        if self._share_of(near=True) >= self._share:
            return Verdict.NEAR
        return Verdict.TOO_FAR if self._share_of(near=False) >= self._share else Verdict.NOTHING

    def _counts(self, percept: Percept, moved: Pose) -> bool:
        apart_s = percept.stamp_s - self._votes[-1].stamp_s if self._votes else math.inf
        return percept.readable and math.hypot(moved.x_m, moved.y_m) < _STANDING_M and apart_s >= _APART_S

    def _share_of(self, *, near: bool) -> float:
        return sum(vote.visible and (vote.range is Range.NEAR or not near) for vote in self._votes) / len(self._votes)
