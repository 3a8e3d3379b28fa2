"""Staying in front of a target that may move."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.seeking import Seeking, SeekingConfig
from vlm_ros.navigation.spotting import Spotting
from vlm_ros.navigation.states import State
from vlm_ros.navigation.steering import Steering

_SPREAD_PER_S = 2.0
"""A target that walks at 0.3 m/s: share of each cell's probability that leaves it in a second."""
_CLOSE_ENOUGH_M = 0.15


@dataclass(frozen=True)
class FollowConfig(SeekingConfig):
    """How the robot follows."""

    follow_distance_m: float = setting(0.9, "distance kept from the target", unit="m", low=0.3, high=5.0)


class FollowPolicy:
    """Keeps the target centred, at a distance; looks for it while it is out of sight. Never done."""

    def __init__(self, config: FollowConfig, pose: Pose) -> None:
        self._config = config
        self._memory = Memory(config, pose, config.reach_m)
        self._steering = Steering(config, self._memory.eyes.half_fov_rad)
        self._seeking = Seeking(config, self._memory, self._steering, pose)
        self._target = Spotting(config.sure_enough)

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        learnt = self._memory.learn(senses)
        if learnt:
            self._memory.belief.spread(min(0.8, _SPREAD_PER_S * self._memory.elapsed_s))
            self._target.update(self._memory.belief, senses.pose)
        if self._target.place is None:
            return self._seeking.step(senses, learnt)
        self._seeking.interrupt()
        return self._follow(senses, self._target.place)

    def _follow(self, senses: Senses, target: Place) -> Wish:
        angle_rad = target.angle_from(senses.pose)
        kept_m = self._config.camera_forward_m + self._config.follow_distance_m
        if target.distance_from(senses.pose) - kept_m < _CLOSE_ENOUGH_M:
            return Wish(self._steering.turn(senses, angle_rad), State.WATCHING, "the target is close enough")
        velocity = self._steering.drive(senses, self._memory, target, kept_m)
        return Wish(velocity, State.FOLLOWING, "the target is ahead")
