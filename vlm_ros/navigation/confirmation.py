"""A second look before the robot says found: several pictures from a standing robot that nods a little."""

from __future__ import annotations

import math
from enum import Enum

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Percept, Range
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import seen_in, wrapped

_NODS_RAD = tuple(math.radians(degrees) for degrees in (0.0, 10.0, -10.0, 20.0, -20.0))
_STANDING_M = 0.04
_DWELL_S = 0.2
"""At least so long it stands for a picture, however fast the model is."""
_AIMED_RAD = math.radians(4.0)


class Verdict(Enum):
    """What the second look says."""

    OPEN = "open"
    NEAR = "near"
    TOO_FAR = "too far"
    NOTHING = "nothing"


class Confirmation:
    """Counts pictures that were taken after the robot came to stand.

    Ends when those that show the target lead by ``lead`` over those that do not, or the other way round
    (a sequential test: A. Wald, 1945), so that clear cases are quick and doubtful ones get more looks.
    Whether it is near, the majority of those that show it says.
    """

    def __init__(self, lead: int, heading_rad: float) -> None:
        self._lead = lead
        self._heading_rad = heading_rad
        self._votes: list[Percept] = []
        self._nod = 0
        self._aimed_s: float | None = None
        self._voted_rad: float | None = None
        self._shown_rad = heading_rad
        self._last: Percept | None = None

    def aim_rad(self, senses: Senses) -> float:
        """How far the robot must turn for the next picture; it goes on once it has stood long enough for one."""
        if self._aimed_s is None or abs(self._off_rad(senses.pose, self._nod)) > _AIMED_RAD / 2:
            self._aimed_s = senses.now_s
        elif senses.now_s - self._aimed_s >= max(_DWELL_S, senses.answer_every_s):
            self._nod, self._aimed_s = (self._nod + 1) % len(_NODS_RAD), None
        return self._off_rad(senses.pose, self._nod)

    def back_rad(self, senses: Senses) -> float:
        """How far to turn back to where the last picture that shows the target was taken; 0 where it still faces it."""
        off_rad = wrapped(self._shown_rad - senses.pose.yaw_rad)
        return 0.0 if abs(off_rad) < _AIMED_RAD else off_rad

    def vote(self, senses: Senses) -> Verdict:
        """Count the newest percept where it is a new one, taken where and as the robot was to look."""
        percept = senses.percept
        if percept is not None and percept is not self._last:
            if self._counts(percept, senses):
                self._votes.append(percept)
                self._voted_rad = senses.seen_from.yaw_rad
                self._shown_rad = self._voted_rad if percept.visible else self._shown_rad
            self._last = percept
        seen = sum(vote.visible for vote in self._votes)
        lead = 2 * seen - len(self._votes)
        if abs(lead) < self._lead:
            return Verdict.OPEN
        if lead < 0:
            return Verdict.NOTHING
        near = sum(vote.range is Range.NEAR for vote in self._votes)
        return Verdict.NEAR if 2 * near >= seen else Verdict.TOO_FAR

    def _counts(self, percept: Percept, senses: Senses) -> bool:
        moved = seen_in(senses.pose, senses.seen_from)
        stood = math.hypot(moved.x_m, moved.y_m) < _STANDING_M
        aimed = any(abs(self._off_rad(senses.seen_from, nod)) < _AIMED_RAD for nod in range(len(_NODS_RAD)))
        before_rad, yaw_rad = self._voted_rad, senses.seen_from.yaw_rad
        again = before_rad is not None and abs(wrapped(yaw_rad - before_rad)) < _AIMED_RAD
        return percept.readable and stood and aimed and not again

    def _off_rad(self, pose: Pose, nod: int) -> float:
        return wrapped(self._heading_rad + _NODS_RAD[nod] - pose.yaw_rad)
