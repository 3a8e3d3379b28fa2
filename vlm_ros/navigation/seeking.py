"""Looking around, and moving on to another place when this one has nothing more to show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose
from vlm_ros.navigation.eyes import EyesConfig
from vlm_ros.navigation.ground import SEEN_TO_M
from vlm_ros.navigation.lookout import best_place, best_turn
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.steering import Steering, SteeringConfig
from vlm_ros.navigation.track import wrapped

_ARRIVED_M = 0.25
_GIVE_UP_WAY = 0.8
_ENOUGH_TURNING_RAD = 2.2 * np.pi
_SAME_SPOT_M = 0.3
_TURNED_ENOUGH = 0.05
"""What a turn is still worth at a spot where the robot has looked all around."""


@dataclass(frozen=True)
class SeekingConfig(EyesConfig, SteeringConfig):
    """How the robot looks for something."""

    reach_m: float = setting(4.0, "how far around its start the robot looks and goes", unit="m", low=1.0, high=8.0)
    sure_enough: float = setting(
        0.6, "probability of the target's direction from which on the robot goes for it", low=0.1, high=0.99
    )


class Seeking:
    """Remembers where it is about to look."""

    def __init__(self, config: SeekingConfig, memory: Memory, steering: Steering, pose: Pose) -> None:
        self._config, self._memory, self._steering = config, memory, steering
        self._heading_rad = pose.yaw_rad
        self._view: Place | None = None
        self._spot = self._pose = pose
        self._turned_rad = 0.0

    def step(self, senses: Senses, learnt: bool) -> Wish:
        """The wish for this moment; ``learnt`` tells that the memory has changed."""
        self._count_turns(senses.pose)
        if learnt and not self._under_way(senses.pose):
            self._choose(senses)
        if self._view is None:
            angle_rad = wrapped(self._heading_rad - senses.pose.yaw_rad)
            return Wish(self._steering.turn(senses, angle_rad), "looking", "looking around")
        velocity = self._steering.drive(senses, self._memory, self._view)
        return Wish(velocity, "moving_on", "going to look from another place")

    def interrupt(self) -> None:
        """Forget where it was going: something better has come up."""
        self._view = None

    def _under_way(self, pose: Pose) -> bool:
        """Whether there is a place to go to that is neither reached nor behind something."""
        if self._view is None or self._view.distance_from(pose) <= _ARRIVED_M:
            return False
        angle, length_m = np.array([self._view.angle_from(pose)]), max(self._view.distance_from(pose), SEEN_TO_M)
        return bool(self._memory.ground.blocked(pose, angle, length_m)[0] < _GIVE_UP_WAY)

    def _count_turns(self, pose: Pose) -> None:
        self._turned_rad += abs(wrapped(pose.yaw_rad - self._pose.yaw_rad))
        self._pose = pose
        if np.hypot(pose.x_m - self._spot.x_m, pose.y_m - self._spot.y_m) > _SAME_SPOT_M:
            self._spot, self._turned_rad = pose, 0.0

    def _choose(self, senses: Senses) -> None:
        pose = senses.pose
        turning = wrapped(self._heading_rad - pose.yaw_rad)
        turn = best_turn(self._memory, senses, self._config, turning)
        place = best_place(self._memory, pose, self._config)
        self._heading_rad = pose.yaw_rad + turn.angle_rad
        worth = _TURNED_ENOUGH if self._turned_rad > _ENOUGH_TURNING_RAD else 1.0
        go = place.promise > worth * turn.promise
        self._view = Place.seen_at(pose, place.angle_rad, place.distance_m) if go else None
