"""What a policy has learnt of the room since its task began."""

from __future__ import annotations

import math

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Percept
from vlm_ros.navigation.belief import TargetBelief
from vlm_ros.navigation.eyes import Eyes, EyesConfig
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import seen_in

_NEW_TURN_RAD = math.radians(20.0)
_NEW_WAY_M = 0.4
_NEW_TIME_S = 1.5
"""Two pictures this much apart err independently; closer ones repeat each other's mistakes."""


class Memory:
    """The belief about the target and about the ground, fed with each percept once."""

    def __init__(self, config: EyesConfig, pose: Pose) -> None:
        self.eyes = Eyes(config)
        self.belief = TargetBelief(self.eyes, pose)
        self.ground = Ground(pose)
        self._percept: Percept | None = None
        self._seen_from = pose
        self.elapsed_s = 0.0

    def learn(self, senses: Senses) -> bool:
        """Take in what is new; false where there is no new percept that can be read."""
        percept = senses.percept
        if percept is None or percept is self._percept or not percept.readable:
            return False
        weight = self._novelty(percept, senses.seen_from) * (0.3 + 0.7 * percept.confidence)
        self._percept, self._seen_from = percept, senses.seen_from
        self.belief.learn(percept, senses.seen_from, weight)
        self.ground.forget(self.elapsed_s)
        self.ground.learn(percept.path, senses.seen_from, weight)
        if senses.scan is not None:
            self.ground.learn_scan(senses.scan, senses.pose)
        return True

    def _novelty(self, percept: Percept, seen_from: Pose) -> float:
        """How much a percept tells that the last one did not, 0..1."""
        if self._percept is None:
            return 1.0
        since = seen_in(self._seen_from, seen_from)
        self.elapsed_s = max(0.0, percept.stamp_s - self._percept.stamp_s)
        turned, moved = abs(since.yaw_rad) / _NEW_TURN_RAD, math.hypot(since.x_m, since.y_m) / _NEW_WAY_M
        return min(1.0, turned + moved + self.elapsed_s / _NEW_TIME_S)
