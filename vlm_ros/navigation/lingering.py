"""Looking for what has just gone out of sight: close beside where it vanished first, then further and further away."""

from __future__ import annotations

import math

from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import wrapped

_LOOKS_RAD = tuple(math.radians(degrees) for degrees in (0, 35, -35, 75, -75, 130, 180, 230, 285))
"""Where to look, against where it was last seen, positive to the side that it went to.

What went behind a thing mostly comes out on one of its two sides: the robot that turns round in between misses it.
"""
_AIMED_RAD = math.radians(8.0)


class Lingering:
    """One loss of the target: begun with the heading in which it was seen, and its side, 1 for left."""

    def __init__(self, heading_rad: float, side: float) -> None:
        self._heading_rad, self._side = heading_rad, side
        self._look = 0

    def turn_rad(self, senses: Senses) -> float | None:
        """How far to turn now; ``None`` once the robot has looked all around."""
        while self._look < len(_LOOKS_RAD):
            off_rad = wrapped(self._aim_rad - senses.pose.yaw_rad)
            if abs(off_rad) > _AIMED_RAD:
                return off_rad
            self._look += 1
        return None

    @property
    def _aim_rad(self) -> float:
        return self._heading_rad + self._side * _LOOKS_RAD[self._look]
