"""A second look before the robot says found: several pictures from a standing robot that nods a little."""

from __future__ import annotations

import math
from enum import Enum

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Percept, Range
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import seen_in

_NODS_RAD = tuple(math.radians(degrees) for degrees in (0.0, 8.0, -8.0, 16.0, -16.0))
_STANDING_M = 0.04
_APART_S = 0.25


class Verdict(Enum):
    """What the second look says."""

    OPEN = "open"
    NEAR = "near"
    TOO_FAR = "too far"
    NOTHING = "nothing"


class Confirmation:
    """Counts pictures that were taken after the robot came to stand.

    Ends when those that show the target near lead by ``lead`` over those that do not, or the other way
    round (a sequential test: A. Wald, 1945), so that clear cases are quick and doubtful ones get more looks.
    """

    def __init__(self, lead: int) -> None:
        self._lead = lead
        self._votes: list[Percept] = []
        self._last: Percept | None = None

    @property
    def nod_rad(self) -> float:
        """How far beside the target the robot should look for the next picture."""
        return _NODS_RAD[len(self._votes) % len(_NODS_RAD)]

    def vote(self, senses: Senses) -> Verdict:
        """Count the newest percept where it is a new one, taken where the robot now stands."""
        percept = senses.percept
        if percept is not None and percept is not self._last:
            if self._counts(percept, seen_in(senses.pose, senses.seen_from)):
                self._votes.append(percept)
            self._last = percept
        near = sum(vote.range is Range.NEAR for vote in self._votes)
        lead = 2 * near - len(self._votes)
        if abs(lead) < self._lead:
            return Verdict.OPEN
        if lead > 0:
            return Verdict.NEAR
        return Verdict.TOO_FAR if 2 * sum(vote.visible for vote in self._votes) > len(self._votes) else Verdict.NOTHING

    def _counts(self, percept: Percept, moved: Pose) -> bool:
        apart_s = percept.stamp_s - self._votes[-1].stamp_s if self._votes else math.inf
        return percept.readable and math.hypot(moved.x_m, moved.y_m) < _STANDING_M and apart_s >= _APART_S
