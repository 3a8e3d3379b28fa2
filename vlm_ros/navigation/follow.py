"""Staying in front of a target that may move."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose
from vlm_ros.navigation.lingering import Lingering
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.quarry import Quarry
from vlm_ros.navigation.seeking import Seeking, SeekingConfig
from vlm_ros.navigation.states import State
from vlm_ros.navigation.steering import Steering

_SPREAD_PER_S = 2.0
"""A target that walks at 0.3 m/s: share of each cell's probability that leaves it in a second."""
_FADING = 4.0
"""How much faster than still things a walking target clears the way it was in."""
_CLOSE_ENOUGH_M = 0.15
_BLINK_S, _BLINK_ANSWERS = 0.3, 1.5
_AFTER_IT_S = 12.0
_THERE_M = 0.5
_SWERVE = 0.8
"""How far past the target the robot turns to get round something, as a share of the angle at which a target in a side
third is taken to be: a target that gets there makes the robot turn back, before it leaves the picture."""


@dataclass(frozen=True)
class FollowConfig(SeekingConfig):
    """How the robot follows."""

    follow_distance_m: float = setting(0.7, "distance kept from the target", unit="m", low=0.3, high=5.0)


class FollowPolicy:
    """Keeps the target centred, at a distance; goes after it, and then looks for it, while it is out of sight.

    Never done.
    """

    def __init__(self, config: FollowConfig, pose: Pose) -> None:
        self._config = config
        self._memory = Memory(config, pose, config.reach_m, target_walks=True)
        self._steering = Steering(config, self._memory.eyes.half_fov_rad)
        self._seeking = Seeking(config, self._memory, self._steering, pose)
        self._quarry = Quarry(self._memory.eyes, config.near_m)
        self._lingering: Lingering | None = None

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        learnt = self._memory.learn(senses)
        if learnt and senses.percept is not None:
            self._memory.belief.spread(min(0.8, _SPREAD_PER_S * self._memory.elapsed_s))
            self._memory.ground.forget(_FADING * self._memory.elapsed_s)
            self._quarry.learn(senses.percept, senses.seen_from)
        place, unseen_s = self._quarry.place, self._quarry.unseen_s(senses)
        if place is None or unseen_s > _AFTER_IT_S:
            return self._seeking.step(senses, learnt)
        self._seeking.interrupt()
        if unseen_s > _BLINK_S + _BLINK_ANSWERS * senses.answer_every_s:
            return self._go_after(senses, place)
        self._lingering = None
        return self._follow(senses, place)

    def _follow(self, senses: Senses, target: Place) -> Wish:
        kept_m = self._config.camera_forward_m + self._config.follow_distance_m
        if self._quarry.near or target.distance_from(senses.pose) - kept_m < _CLOSE_ENOUGH_M:
            velocity = self._steering.turn(senses, target.angle_from(senses.pose))
            return Wish(velocity, State.WATCHING, "the target is close enough")
        velocity = self._steering.drive(senses, self._memory, target, kept_m, _SWERVE * self._memory.eyes.aside_rad)
        return Wish(velocity, State.FOLLOWING, "the target is ahead")

    def _go_after(self, senses: Senses, target: Place) -> Wish:
        """Looks to both sides of where it vanished, goes there, and looks all around."""
        if self._lingering is None:
            heading_rad = senses.pose.yaw_rad + target.angle_from(senses.pose)
            self._lingering = Lingering(heading_rad, self._quarry.side, senses.now_s, ahead=self._quarry.ahead)
        there = self._quarry.near or target.distance_from(senses.pose) < _THERE_M
        angle_rad = self._lingering.turn_rad(senses, all_around=there)
        if angle_rad is not None:
            return Wish(self._steering.turn(senses, angle_rad), State.FOLLOWING, "the target has just been here")
        velocity = self._steering.drive(senses, self._memory, target, swerve_rad=self._memory.eyes.half_fov_rad)
        return Wish(velocity, State.FOLLOWING, "going after the target")
