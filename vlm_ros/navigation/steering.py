"""From a direction to a velocity: around what is in the way, and only where the camera has just looked."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose, Velocity
from vlm_ros.core.percept import PathAhead, Percept
from vlm_ros.navigation.grid import wrapped_all
from vlm_ros.navigation.ground import SEEN_TO_M
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import seen_in, wrapped

_DIRECTIONS_RAD = np.radians(np.arange(-150.0, 151.0, 7.5))
_BLOCKED_COSTS_RAD = 4.0
_TIGHT_COSTS_RAD, _ROOMY_HALF_WIDTH_M = 0.8, 0.4
_CHANGE_COSTS = 0.25
_WAIT_COSTS_RAD_PER_S, _LONGEST_WAIT_COSTS_RAD = 0.1, 0.35
"""A course along which the newest picture was not taken has to wait for another picture and its answer."""
_BENEFIT = 0.5
_FAR_M = 1.6
_WORTH_A_DETOUR = 0.4
_LONG_WAY = 2.5
"""The way goes around something where it costs so many times as much as the straight line."""
_CREEP_M = 0.15
_PROGRESS_M, _STALLED_S, _STALLED_ANSWERS, _DISTRUSTED_AHEAD_M = 0.2, 4.0, 6.0, 0.5
"""A robot that has not moved so far in so many seconds and answers takes what is before it for an obstacle."""
_TURN_FIRST_RAD = math.radians(12.0)
_SLOWER_IN_CURVES = 0.6
_TURN_GAIN_PER_S = 2.5
_STOP_GAIN_PER_S = 2.0
_LOOKED_AT_RAD = math.radians(13.0)
_LOOKED_AT_M, _LOOKED_AT_ASIDE_M = 0.5, 0.07
"""How far ahead and to each side of the robot an answer "clear" reaches, with something to spare."""
_DARE_M, _DARE = 0.5, 0.4
"""Straight on is not driven where something is that likely to stand within that distance."""


@dataclass(frozen=True)
class SteeringConfig:
    """How fast a policy likes to drive; the gate has the last word."""

    cruise_mps: float = setting(0.3, "speed wished for on a clear way", unit="m/s", low=0.05, high=3.0)
    turn_radps: float = setting(1.2, "turn rate wished for", unit="rad/s", low=0.1, high=6.0)


class Steering:
    """Chooses a course at every answer and keeps it in between: what is seen while turning comes late."""

    def __init__(self, config: SteeringConfig, half_fov_rad: float) -> None:
        self._config = config
        self._furthest_turn_rad = 1.4 * half_fov_rad
        self._course_rad: float | None = None
        self._percept: Percept | None = None
        self._heard_at = Pose(0.0, 0.0, 0.0)
        self._moving_from: Place | None = None
        self._moving_s = 0.0

    def turn(self, senses: Senses, angle_rad: float) -> Velocity:
        """Turn on the spot, at most as far past the picture that is being answered as pictures still overlap."""
        self._hears(senses)
        self._course_rad = self._moving_from = None
        return Velocity(0.0, self._turn_rate(senses, angle_rad))

    def drive(
        self, senses: Senses, memory: Memory, goal: Place, stop_before_m: float = 0.0, swerve_rad: float = math.pi
    ) -> Velocity:
        """Go to ``goal`` around what is in between, and stop ``stop_before_m`` before it (but creep on till told).

        The robot looks at most ``swerve_rad`` past ``goal``, whatever is in the way.
        """
        pose, ground = senses.pose, memory.ground
        distance_m = max(_CREEP_M, goal.distance_from(pose) - stop_before_m)
        if self._hears(senses) or self._course_rad is None:
            straight = ground.blocked(pose, np.array([goal.angle_from(pose)]), max(SEEN_TO_M, min(distance_m, _FAR_M)))
            ways = memory.ways(pose)
            goes_up_to_it = stop_before_m == 0.0
            long_way = goes_up_to_it and ways.cost_to(goal) > _LONG_WAY * goal.distance_from(pose)
            around = long_way or straight[0] > _WORTH_A_DETOUR
            next_place = ways.next_to(goal) if around else goal
            self._note_progress(senses, memory, next_place)
            self._course_rad = self._course_to(next_place, senses, memory)
        if swerve_rad < math.pi:
            off_rad = wrapped(self._course_rad - pose.yaw_rad - goal.angle_from(pose))
            self._course_rad += min(max(off_rad, -swerve_rad), swerve_rad) - off_rad
        angle_rad = wrapped(self._course_rad - pose.yaw_rad)
        turn_radps = self._turn_rate(senses, angle_rad)
        if abs(angle_rad) > _TURN_FIRST_RAD:
            return Velocity(0.0, turn_radps)
        cruise_mps = self._config.cruise_mps * (1.0 - _SLOWER_IN_CURVES * abs(angle_rad) / _TURN_FIRST_RAD)
        speed_mps = min(cruise_mps, _STOP_GAIN_PER_S * min(distance_m, looked_ahead_m(senses)))
        if ground.blocked(pose, np.zeros(1), _DARE_M)[0] > _DARE:
            speed_mps = 0.0
        return Velocity(speed_mps, turn_radps)

    def drive_warily(self, senses: Senses, memory: Memory, goal: Place) -> Velocity:
        """Go to ``goal`` as ``drive`` does, but look first at floor beside the course that no picture has shown.

        It is looked at before the course is turned to: a slow model then needs one answer less.
        """
        velocity = self.drive(senses, memory, goal)
        assert self._course_rad is not None, "who drives has chosen a course"
        unseen_rad = memory.ground.unseen_rad(replace(senses.pose, yaw_rad=self._course_rad))
        if unseen_rad is None:
            return velocity
        return Velocity(0.0, self._turn_rate(senses, wrapped(self._course_rad + unseen_rad - senses.pose.yaw_rad)))

    def _note_progress(self, senses: Senses, memory: Memory, next_place: Place) -> None:
        """Look for another way where this one leads nowhere."""
        pose, patience_s = senses.pose, _STALLED_S + _STALLED_ANSWERS * senses.answer_every_s
        if self._moving_from is None or self._moving_from.distance_from(pose) > _PROGRESS_M:
            self._moving_from, self._moving_s = Place(pose.x_m, pose.y_m), senses.now_s
        elif senses.now_s - self._moving_s > patience_s and next_place.distance_from(pose) > _PROGRESS_M:
            memory.ground.distrust(Place.seen_at(pose, next_place.angle_from(pose), _DISTRUSTED_AHEAD_M))
            self._moving_from = None

    def _hears(self, senses: Senses) -> bool:
        """Whether there is a new answer. The next one is about a picture that is taken here and now, at the soonest."""
        if senses.percept is self._percept:
            return False
        self._percept, self._heard_at = senses.percept, senses.pose
        return True

    def _turn_rate(self, senses: Senses, angle_rad: float) -> float:
        rate = self._config.turn_radps
        wanted = min(max(_TURN_GAIN_PER_S * angle_rad, -rate), rate)
        past_rad = seen_in(self._heard_at, senses.pose).yaw_rad
        return 0.0 if past_rad * wanted > 0.0 and abs(past_rad) > self._furthest_turn_rad else wanted

    def _course_to(self, place: Place, senses: Senses, memory: Memory) -> float:
        """The heading near that of ``place`` that costs least: a turn aside, a likely stop, a change of mind, a wait.

        What has not been looked at from here gets the benefit of the doubt, so that the robot looks.
        """
        pose, wanted_rad = senses.pose, place.angle_from(senses.pose)
        looked_rad = seen_in(pose, senses.seen_from).yaw_rad
        directions = np.append(_DIRECTIONS_RAD + wanted_rad, (wanted_rad, looked_rad))
        doubt = 1.0 - _BENEFIT * memory.looks.novelty(pose, directions, senses.now_s)
        blocked = memory.ground.blocked(pose, directions, SEEN_TO_M)
        tight = memory.ground.blocked(pose, directions, SEEN_TO_M, _ROOMY_HALF_WIDTH_M)
        aside = np.abs(wrapped_all(directions - wanted_rad))
        cost = aside + _BLOCKED_COSTS_RAD * doubt * blocked + _TIGHT_COSTS_RAD * tight
        unseen = np.abs(wrapped_all(directions - looked_rad)) > _LOOKED_AT_RAD / 2
        cost += np.where(unseen, min(_WAIT_COSTS_RAD_PER_S * senses.answer_every_s, _LONGEST_WAIT_COSTS_RAD), 0.0)
        if self._course_rad is not None:
            cost += _CHANGE_COSTS * np.abs(np.sin((directions + pose.yaw_rad - self._course_rad) / 2))
        return wrapped(pose.yaw_rad + float(directions[int(np.argmin(cost))]))


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
    beside_m = max(0.0, _LOOKED_AT_ASIDE_M - abs(since.y_m))
    drift = max(abs(math.sin(since.yaw_rad)), 1e-3)
    return max(0.0, min(_LOOKED_AT_M - since.x_m, beside_m / drift))
