"""Driving where the path is clear, to see all of the room and say what is in it."""

from __future__ import annotations

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.escape import Escape
from vlm_ros.navigation.inventory import Inventory
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.seeking import Seeking, SeekingConfig
from vlm_ros.navigation.steering import Steering

_SIGHT_M = 3.0
"""What lies further away than this is not yet explored by looking at it."""


class ExplorePolicy:
    """Searches for what is never seen, which leads it everywhere, and in time everywhere again. Never done."""

    def __init__(self, config: SeekingConfig, pose: Pose) -> None:
        self._memory = Memory(config, pose, config.reach_m, sight_m=_SIGHT_M)
        steering = Steering(config, self._memory.eyes.half_fov_rad)
        self._seeking = Seeking(config, self._memory, steering, pose)
        self._escape = Escape()
        self.inventory = Inventory(self._memory.eyes, self._memory.ground, pose, config.reach_m)
        """What it has seen so far; whoever hears of things tells it."""

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        wish = self._seeking.step(senses, self._memory.learn(senses))
        return self._escape.step(senses) or wish
