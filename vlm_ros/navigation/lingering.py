"""Looking for what has just gone out of sight: close beside where it vanished first, then further and further away."""

from __future__ import annotations

import math

from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import wrapped

_BESIDE_RAD = tuple(math.radians(degrees) for degrees in (0, 35, -35))
_AROUND_RAD = tuple(math.radians(degrees) for degrees in (75, -75, -130, -180, -230, -285))
"""Where to look, against where it was last seen, positive to the side that it went to.

What went behind a thing mostly comes out on one of its two sides: a robot that turns round meanwhile misses it.
"""
_AIMED_RAD = math.radians(8.0)
_WAITS_S = 1.5
"""How long it first waits for what vanished before it, and not at the edge of the picture.

What went behind a thing mostly comes out again within two seconds.
"""


class Lingering:
    """One loss of the target, that was seen last in the direction ``heading_rad``, on its way to ``side`` (1: left).

    ``ahead`` tells that it was in the middle of the picture then.
    """

    def __init__(self, heading_rad: float, side: float, now_s: float, *, ahead: bool) -> None:
        self._aims_rad = [heading_rad + side * look for look in (*_BESIDE_RAD, *_AROUND_RAD)]
        self._looked = 0
        self._waits_until_s = now_s + (_WAITS_S if ahead else 0.0)

    def turn_rad(self, senses: Senses, *, all_around: bool) -> float | None:
        """How far to turn now; ``None`` once it has looked to both sides, and ``all_around`` where that is wanted."""
        while self._looked < len(self._aims_rad if all_around else _BESIDE_RAD):
            off_rad = wrapped(self._aims_rad[self._looked] - senses.pose.yaw_rad)
            if abs(off_rad) > _AIMED_RAD or senses.now_s < self._waits_until_s:
                return off_rad
            self._looked += 1
        return None
