"""Looking for the target, driving to it, and saying so."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlm_ros.core.config import setting
from vlm_ros.core.motion import STANDSTILL, Pose
from vlm_ros.core.percept import Range
from vlm_ros.navigation.confirmation import Confirmation, Verdict
from vlm_ros.navigation.eyes import EyesConfig
from vlm_ros.navigation.ground import SEEN_TO_M
from vlm_ros.navigation.lookout import best_place, best_turn
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Outcome, Senses, Wish
from vlm_ros.navigation.steering import Steering, SteeringConfig
from vlm_ros.navigation.track import wrapped

_ARRIVED_M = 0.25
_CREEP_M = 0.15
_STAND_OFF = 0.75
"""Where to stop before the target, as a share of the distance at which it is near."""
_ARRIVED = 0.6
_GIVE_UP_WAY = 0.8
_LET_GO = 0.5
"""Share of ``sure_enough`` below which a target that was being approached counts as lost."""
_DOUBTED = 0.2
_ANOTHER_SPOT_M = 0.12


@dataclass(frozen=True)
class SearchConfig(EyesConfig, SteeringConfig):
    """How the robot searches."""

    search_timeout_s: float = setting(120.0, "time after which a search ends", unit="s", low=1.0, high=3600.0)
    sure_enough: float = setting(
        0.6, "probability of the target's direction from which on the robot drives there", low=0.1, high=0.99
    )
    confirm_lead: int = setting(
        4, "by how many pictures those that show the target must lead before it is found", low=1, high=50
    )


class SearchPolicy:
    """Finds the target once: looking, approaching, confirming, and again where that fails."""

    def __init__(self, config: SearchConfig, timeout_s: float | None = None) -> None:
        self._config = config
        self._timeout_s = config.search_timeout_s if timeout_s is None else timeout_s
        self._began_s: float | None = None
        self._ever_seen = False
        self._ended: Wish | None = None

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment; the last one for ever once the search has ended."""
        if self._began_s is None:
            self._begin(senses)
        if self._ended is None:
            wish = self._timed_out(senses) or self._wish(senses)
            self._ended = wish if wish.outcome else None
            return wish
        return self._ended

    def _begin(self, senses: Senses) -> None:
        self._began_s = senses.now_s
        self._memory = Memory(self._config, senses.pose)
        self._steering = Steering(self._config, self._memory.eyes.half_fov_rad)
        self._target: Place | None = None
        self._view: Place | None = None
        self._heading_rad = senses.pose.yaw_rad
        self._confirmation: Confirmation | None = None
        self._doubted_at: Place | None = None

    def _timed_out(self, senses: Senses) -> Wish | None:
        if self._began_s is None or senses.now_s - self._began_s <= self._timeout_s:
            return None
        if self._ever_seen:
            return Wish(STANDSTILL, "lost", "the target was seen but not reached in time", Outcome.LOST)
        return Wish(STANDSTILL, "not_found", f"the target was not seen in {self._timeout_s:g} s", Outcome.NOT_FOUND)

    def _wish(self, senses: Senses) -> Wish:
        learnt = self._memory.learn(senses)
        if learnt:
            self._locate(senses.pose)
        if self._confirmation is not None:
            return self._confirm(senses, self._confirmation)
        if self._target is not None:
            return self._approach(senses, self._target)
        if learnt:
            self._choose_view(senses)
        return self._look(senses) if self._view is None else self._move_on(senses, self._view)

    def _locate(self, pose: Pose) -> None:
        """Decide from the belief whether there is a target to go for."""
        guess = self._memory.belief.guess(pose)
        hold = 1.0 if self._target is None else _LET_GO
        sure = guess.certainty >= hold * self._config.sure_enough
        self._target = Place.seen_at(pose, guess.angle_rad, guess.distance_m) if sure else None
        self._ever_seen = self._ever_seen or sure

    def _approach(self, senses: Senses, target: Place) -> Wish:
        self._view = None
        near_m = self._config.near_m
        if self._seems_near(senses):
            self._doubted_at = Place.seen_at(senses.pose, 0.0, 0.0)
            heading_rad = senses.pose.yaw_rad + target.angle_from(senses.pose)
            self._confirmation = Confirmation(self._config.confirm_lead, heading_rad)
            return Wish(STANDSTILL, "confirming", "standing still to look again")
        stand_off_m = self._config.camera_forward_m + _STAND_OFF * near_m
        distance_m = max(_CREEP_M, target.distance_from(senses.pose) - stand_off_m)
        velocity = self._steering.drive(senses, self._memory.ground, target.angle_from(senses.pose), distance_m)
        return Wish(velocity, "approaching", "the target was seen")

    def _seems_near(self, senses: Senses) -> bool:
        """Whether it is time to stop and look again: not twice at the same spot on the word of a single picture."""
        if self._memory.belief.probability_within(senses.pose, self._config.near_m) >= _ARRIVED:
            return True
        says_near = senses.percept is not None and senses.percept.range is Range.NEAR
        return says_near and (self._doubted_at is None or self._doubted_at.distance_from(senses.pose) > _ANOTHER_SPOT_M)

    def _confirm(self, senses: Senses, confirmation: Confirmation) -> Wish:
        verdict = confirmation.vote(senses)
        if verdict is Verdict.NEAR:
            return Wish(STANDSTILL, "found", "the target is near, in several pictures", Outcome.FOUND)
        if verdict is not Verdict.OPEN:
            self._confirmation = None
        if verdict is Verdict.NOTHING:
            self._memory.belief.doubt(senses.pose, self._config.near_m, _DOUBTED)
            self._locate(senses.pose)
        return Wish(self._steering.turn(senses, confirmation.aim_rad(senses.pose)), "confirming", "looking again")

    def _choose_view(self, senses: Senses) -> None:
        """Keep the place the robot is on its way to, unless it is reached or cannot be; else choose turn or place."""
        pose, ground = senses.pose, self._memory.ground
        if self._view is not None:
            angle, distance_m = np.array([self._view.angle_from(pose)]), self._view.distance_from(pose)
            if distance_m > _ARRIVED_M and ground.blocked(pose, angle, max(distance_m, SEEN_TO_M))[0] < _GIVE_UP_WAY:
                return
        turn = best_turn(self._memory, pose, senses.now_s, self._config, wrapped(self._heading_rad - pose.yaw_rad))
        place = best_place(self._memory, pose, self._config)
        self._heading_rad = pose.yaw_rad + turn.angle_rad
        go = place.promise > turn.promise
        self._view = Place.seen_at(pose, place.angle_rad, place.distance_m) if go else None

    def _look(self, senses: Senses) -> Wish:
        angle_rad = wrapped(self._heading_rad - senses.pose.yaw_rad)
        return Wish(self._steering.turn(senses, angle_rad), "looking", "looking around for the target")

    def _move_on(self, senses: Senses, view: Place) -> Wish:
        angle_rad, distance_m = view.angle_from(senses.pose), view.distance_from(senses.pose)
        velocity = self._steering.drive(senses, self._memory.ground, angle_rad, distance_m)
        return Wish(velocity, "moving_on", "going to look from another place")
