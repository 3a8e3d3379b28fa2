"""Driving where the path is clear, to see all of the room and say what is in it."""

from __future__ import annotations

from dataclasses import replace

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Percept, unseen
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
        self._heard: Percept | None = None
        self._path: Percept | None = None

    def without_target(self, senses: Senses) -> Senses:
        """What counts here: a thing that is near and ahead is one to stop for, whatever the model was asked for."""
        if senses.percept is not self._heard:
            self._heard = senses.percept
            self._path = None if senses.percept is None else _without_target(senses.percept)
        return replace(senses, percept=self._path)

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        senses = self.without_target(senses)
        wish = self._seeking.step(senses, self._memory.learn(senses))
        return self._escape.step(senses) or wish


def _without_target(percept: Percept) -> Percept:
    return unseen("", percept.stamp_ns, percept.path) if percept.readable else percept
