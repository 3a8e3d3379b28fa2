"""Out of a corner where hardly any direction is free: turning slowly, and straight on where an answer says clear."""

from __future__ import annotations

import math

from vlm_ros.core.motion import Velocity
from vlm_ros.core.percept import PathAhead, Percept
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.states import State
from vlm_ros.navigation.steering import looked_ahead_m
from vlm_ros.navigation.track import wrapped

_FREE_M = 0.3
_STUCK_S, _STUCK_ANSWERS = 25.0, 25
_STEP_RAD = math.radians(3.0)
_FASTEST_RADPS = 0.3
_AIMED_RAD = math.radians(2.0)
_PAST_RAD = math.radians(25.0)
"""So far past the first picture without it, a thing that has just left the picture does not meet the body's side."""
_CREEP_MPS = 0.15


class Escape:
    """Takes over from a robot that has stayed where it was for long, until it has got away.

    What is remembered of the ground says there is no way, so only the newest answer counts here.
    """

    def __init__(self) -> None:
        self._stood: Place | None = None
        self._stood_s = 0.0
        self._percept: Percept | None = None
        self._heading_rad: float | None = None
        self._clear_from_rad: float | None = None
        self._turned_rad = self._yaw_rad = 0.0

    def step(self, senses: Senses) -> Wish | None:
        """The wish of a robot that is stuck; ``None`` for one that is not."""
        pose = senses.pose
        if self._stood is None or self._stood.distance_from(pose) > _FREE_M:
            self._stood, self._stood_s, self._heading_rad = Place(pose.x_m, pose.y_m), senses.now_s, None
            self._clear_from_rad, self._turned_rad, self._yaw_rad = None, 0.0, pose.yaw_rad
        if senses.now_s - self._stood_s < max(_STUCK_S, _STUCK_ANSWERS * senses.answer_every_s):
            return None
        self._turned_rad += abs(wrapped(pose.yaw_rad - self._yaw_rad))
        self._yaw_rad = pose.yaw_rad
        self._hear(senses)
        return Wish(self._velocity(senses), State.ESCAPING, "looking for a way out")

    def _hear(self, senses: Senses) -> None:
        """Choose the heading of a picture that shows a clear path, and drop it where another one does not."""
        percept, yaw_rad = senses.percept, senses.seen_from.yaw_rad
        if percept is None or percept is self._percept:
            return
        self._percept = percept
        if percept.path is PathAhead.CLEAR:
            self._clear_from_rad = yaw_rad if self._clear_from_rad is None else self._clear_from_rad
            if self._heading_rad is None and self._far_past(yaw_rad, self._clear_from_rad):
                self._heading_rad = yaw_rad
            return
        self._clear_from_rad = None
        if self._heading_rad is not None and abs(wrapped(yaw_rad - self._heading_rad)) < _AIMED_RAD:
            self._heading_rad = None

    def _far_past(self, yaw_rad: float, clear_from_rad: float) -> bool:
        """Whether the way has been clear for long enough of the turn; after a whole turn anything clear will do."""
        return abs(wrapped(yaw_rad - clear_from_rad)) >= _PAST_RAD or self._turned_rad > 2 * math.pi

    def _velocity(self, senses: Senses) -> Velocity:
        if self._heading_rad is None:
            return Velocity(0.0, min(_FASTEST_RADPS, _STEP_RAD / max(senses.answer_every_s, 1e-3)))
        angle_rad = wrapped(self._heading_rad - senses.pose.yaw_rad)
        turn_radps = min(max(2.0 * angle_rad, -_FASTEST_RADPS), _FASTEST_RADPS)
        if abs(angle_rad) > _AIMED_RAD:
            return Velocity(0.0, turn_radps)
        return Velocity(min(_CREEP_MPS, looked_ahead_m(senses)), turn_radps)
