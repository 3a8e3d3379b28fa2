"""Where a target that moves was last seen, and to which side it has gone since."""

from __future__ import annotations

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Bearing, Percept, Range
from vlm_ros.navigation.eyes import Eyes
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses

_NEAR_SHARE, _FAR_SHARE = 0.75, 1.6
"""How far away a target is that is near, or far, as a share of the distance at which it is near."""
_STEADY = 0.5
"""How much of its last place goes into the next: bearings are thirds of a picture, and flicker at their borders."""


class Quarry:
    """Takes every percept; ``place`` is ``None`` before the target has been seen."""

    def __init__(self, eyes: Eyes, near_m: float) -> None:
        self._eyes, self._near_m = eyes, near_m
        self.place: Place | None = None
        self.near = False
        """Whether it was near."""
        self.side = 1.0
        """1 when it was last seen to go to the left, -1 to the right."""
        self.ahead = False
        """Whether it was in the middle of the picture."""
        self._seen_s = 0.0

    def learn(self, percept: Percept, seen_from: Pose) -> None:
        """Take in where the target is, if it is to be seen."""
        if not percept.visible:
            return
        angle_rad = self._angle_rad(percept.bearing)
        self.near = percept.range is Range.NEAR
        away_m = self._near_m * (_NEAR_SHARE if self.near else _FAR_SHARE)
        seen = Place.seen_at(self._eyes.at(seen_from), angle_rad, away_m)
        place = seen if self.place is None else _between(seen, self.place)
        self.ahead = percept.bearing is Bearing.CENTER
        if not self.ahead:
            self.side = 1.0 if percept.bearing is Bearing.LEFT else -1.0
        self.place, self._seen_s = place, percept.stamp_s

    def unseen_s(self, senses: Senses) -> float:
        """How long it has not been seen, by the newest answer; 0 while it is, or where it never was."""
        percept = senses.percept
        return 0.0 if percept is None or self.place is None else max(0.0, percept.stamp_s - self._seen_s)

    def _angle_rad(self, bearing: Bearing | None) -> float:
        aside_rad = self._eyes.aside_rad
        return {Bearing.LEFT: aside_rad, Bearing.RIGHT: -aside_rad}.get(bearing, 0.0)  # type: ignore[arg-type]


def _between(seen: Place, before: Place) -> Place:
    return Place(
        seen.x_m + _STEADY * (before.x_m - seen.x_m),
        seen.y_m + _STEADY * (before.y_m - seen.y_m),
    )
