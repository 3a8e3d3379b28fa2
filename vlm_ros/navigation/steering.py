"""From a direction to a velocity: around what is in the way, and only where the camera has just looked."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose, Velocity
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.ground import SEEN_TO_M, Ground
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import seen_in

_DIRECTIONS_RAD = np.radians(np.arange(-150.0, 151.0, 7.5))
_BLOCKED_COSTS_RAD = 4.0
_CHANGE_COSTS = 0.25
_LOOKAHEAD_M = 1.1
_TURN_FIRST_RAD = math.radians(12.0)
_TURN_GAIN_PER_S = 2.5
_STOP_GAIN_PER_S = 2.0
_LOOKED_AT_RAD = math.radians(13.0)
_LOOKED_AT_M = 0.5
_DARE_M, _DARE = 0.5, 0.4
"""Straight on is not driven where something is that likely to stand within that distance."""


@dataclass(frozen=True)
class SteeringConfig:
    """How fast a policy likes to drive; the gate has the last word."""

    cruise_mps: float = setting(0.3, "speed wished for on a clear way", unit="m/s", low=0.05, high=3.0)
    turn_radps: float = setting(0.8, "turn rate wished for", unit="rad/s", low=0.1, high=6.0)


class Steering:
    """Remembers which way it went around the last obstacle, so that it does not swing between two ways."""

    def __init__(self, config: SteeringConfig, half_fov_rad: float) -> None:
        self._config = config
        self._furthest_turn_rad = 1.4 * half_fov_rad
        self._chosen_rad: float | None = None

    def turn(self, senses: Senses, angle_rad: float) -> Velocity:
        """Turn on the spot, at most as far past the last picture as pictures still overlap."""
        rate = self._config.turn_radps
        wanted = min(max(_TURN_GAIN_PER_S * angle_rad, -rate), rate)
        past_rad = seen_in(senses.seen_from, senses.pose).yaw_rad
        if past_rad * wanted > 0.0 and abs(past_rad) > self._furthest_turn_rad:
            wanted = 0.0
        return Velocity(0.0, wanted)

    def drive(self, senses: Senses, ground: Ground, angle_rad: float, distance_m: float) -> Velocity:
        """Go towards a place that lies ``distance_m`` away in direction ``angle_rad``, around what is in between."""
        angle_rad = self._way_around(senses.pose, ground, angle_rad, distance_m)
        if abs(angle_rad) > _TURN_FIRST_RAD:
            return self.turn(senses, angle_rad)
        speed = min(self._config.cruise_mps, _STOP_GAIN_PER_S * min(distance_m, looked_ahead_m(senses)))
        if ground.blocked(senses.pose, np.zeros(1), _DARE_M)[0] > _DARE:
            speed = 0.0
        return Velocity(speed, self.turn(senses, angle_rad).angular_radps)

    def _way_around(self, pose: Pose, ground: Ground, angle_rad: float, distance_m: float) -> float:
        """The direction that costs least: away from the goal, likely blocked, or a change of mind."""
        directions = np.append(_DIRECTIONS_RAD + angle_rad, angle_rad)
        blocked = ground.blocked(pose, directions, min(max(distance_m, SEEN_TO_M), _LOOKAHEAD_M))
        cost = np.abs(directions - angle_rad) + _BLOCKED_COSTS_RAD * blocked
        if self._chosen_rad is not None:
            cost += _CHANGE_COSTS * np.abs(np.sin((directions + pose.yaw_rad - self._chosen_rad) / 2))
        best_rad = float(directions[int(np.argmin(cost))])
        self._chosen_rad = pose.yaw_rad + best_rad
        return math.remainder(best_rad, math.tau)


def looked_ahead_m(senses: Senses) -> float:
    """How far ahead the newest picture has shown a free way; 0 where it showed another direction, or none."""
    percept = senses.percept
    if percept is None or not percept.readable or percept.path is PathAhead.BLOCKED:
        return 0.0
    if percept.path is PathAhead.UNKNOWN and not percept.visible:
        return 0.0
    since = seen_in(senses.seen_from, senses.pose)
    if abs(since.yaw_rad) > _LOOKED_AT_RAD:
        return 0.0
    return max(0.0, _LOOKED_AT_M - math.hypot(since.x_m, since.y_m))
