"""Looking for the target, driving to it, and saying so."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import STANDSTILL, Pose
from vlm_ros.core.percept import Range
from vlm_ros.navigation.confirmation import Confirmation, Verdict
from vlm_ros.navigation.escape import Escape
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Outcome, Senses, Wish
from vlm_ros.navigation.seeking import Seeking, SeekingConfig
from vlm_ros.navigation.spotting import Spotting
from vlm_ros.navigation.states import State
from vlm_ros.navigation.steering import Steering

_STAND_OFF = 0.75
"""Where to stop before the target, as a share of the distance at which it is near."""
_SURELY_NEAR = 0.6
_DOUBTED = 0.2
_ANOTHER_SPOT_M = 0.12
SHORTEST_SEARCH_S, LONGEST_SEARCH_S = 1.0, 3600.0
"""What a search may be given."""


@dataclass(frozen=True)
class SearchConfig(SeekingConfig):
    """How the robot searches."""

    search_timeout_s: float = setting(
        120.0, "time after which a search ends", unit="s", low=SHORTEST_SEARCH_S, high=LONGEST_SEARCH_S
    )
    confirm_lead: int = setting(
        4, "by how many pictures those that show the target must lead before it is found", low=1, high=50
    )


class SearchPolicy:
    """Finds the target once: looking, approaching, confirming, and again where that fails."""

    def __init__(self, config: SearchConfig, pose: Pose, timeout_s: float | None = None) -> None:
        self._config = config
        self._timeout_s = config.search_timeout_s if timeout_s is None else timeout_s
        self._ends_s = math.inf
        self._memory = Memory(config, pose, config.reach_m)
        self._steering = Steering(config, self._memory.eyes.half_fov_rad)
        self._seeking = Seeking(config, self._memory, self._steering, pose)
        self._escape = Escape()
        self._target = Spotting(config.sure_enough)
        self._confirmation: Confirmation | None = None
        self._confirmed_at: Pose | None = None
        self._answered = False
        self._ended: Wish | None = None

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment; the last one for ever once the search has ended."""
        self._ends_s = min(self._ends_s, senses.now_s + self._timeout_s)
        if self._ended is None:
            wish = self._refused(senses) or self._timed_out(senses) or self._wish(senses)
            self._ended = wish if wish.outcome else None
            return wish
        return self._ended

    def _refused(self, senses: Senses) -> Wish | None:
        """The end of a search for what the model cannot be asked about."""
        if senses.percept is None or not senses.percept.refusal:
            return None
        return Wish(STANDSTILL, State.LOST, senses.percept.refusal, Outcome.LOST)

    def _timed_out(self, senses: Senses) -> Wish | None:
        if senses.now_s < self._ends_s:
            return None
        if not self._answered:
            reason = f"no answer could be used in {self._timeout_s:g} s: {_trouble(senses)}"
            return Wish(STANDSTILL, State.LOST, reason, Outcome.LOST)
        if self._target.sure:
            return Wish(STANDSTILL, State.LOST, "the target was seen but not reached in time", Outcome.LOST)
        seemed = ": what seemed to be it was not there at another look" if self._target.ever else ""
        reason = f"the target was not seen in {self._timeout_s:g} s{seemed}"
        return Wish(STANDSTILL, State.NOT_FOUND, reason, Outcome.NOT_FOUND)

    def _wish(self, senses: Senses) -> Wish:
        learnt = self._memory.learn(senses)
        if learnt:
            self._answered = True
            self._target.update(self._memory.belief, senses.pose)
        if self._confirmation is not None:
            return self._confirm(senses, self._confirmation)
        wish = self._drive(senses, learnt)
        return wish if wish.state is State.CONFIRMING or wish.outcome else self._escape.step(senses) or wish

    def _drive(self, senses: Senses, learnt: bool) -> Wish:
        if self._target.place is not None:
            return self._approach(senses, self._target.place)
        wish = self._seeking.step(senses, learnt)
        if self._seeking.seen_all:
            return Wish(STANDSTILL, State.NOT_FOUND, "all floor within reach has been looked at", Outcome.NOT_FOUND)
        return wish

    def _approach(self, senses: Senses, target: Place) -> Wish:
        self._seeking.interrupt()
        angle_rad, pose = target.angle_from(senses.pose), senses.pose
        if self._seems_near(senses):
            self._confirmed_at = pose
            self._confirmation = Confirmation(self._config.confirm_lead, pose.yaw_rad + angle_rad)
            return Wish(STANDSTILL, State.CONFIRMING, "standing still to look again")
        stand_off_m = self._config.camera_forward_m + _STAND_OFF * self._config.near_m
        velocity = self._steering.drive(senses, self._memory, target, stand_off_m)
        return Wish(velocity, State.APPROACHING, "the target was seen")

    def _seems_near(self, senses: Senses) -> bool:
        """Whether it is time to stop and look again: not twice at one spot on the word of a single picture."""
        if self._memory.belief.probability_within(senses.pose, self._config.near_m) >= _SURELY_NEAR:
            return True
        at, pose = self._confirmed_at, senses.pose
        elsewhere = at is None or math.hypot(pose.x_m - at.x_m, pose.y_m - at.y_m) > _ANOTHER_SPOT_M
        return elsewhere and senses.percept is not None and senses.percept.range is Range.NEAR

    def _confirm(self, senses: Senses, confirmation: Confirmation) -> Wish:
        verdict = confirmation.vote(senses)
        if verdict is Verdict.NEAR:
            return self._found(senses, confirmation)
        if verdict is not Verdict.OPEN:
            self._confirmation = None
        if verdict is Verdict.NOTHING:
            self._memory.belief.doubt(senses.pose, self._config.near_m, _DOUBTED)
            self._target.update(self._memory.belief, senses.pose)
        velocity = self._steering.turn(senses, confirmation.aim_rad(senses))
        return Wish(velocity, State.CONFIRMING, "looking again")

    def _found(self, senses: Senses, confirmation: Confirmation) -> Wish:
        """Ends before the target: it nodded meanwhile, and turns back first where it has to."""
        back_rad = confirmation.back_rad(senses)
        if back_rad != 0.0:
            return Wish(self._steering.turn(senses, back_rad), State.CONFIRMING, "facing the target again")
        return Wish(STANDSTILL, State.FOUND, "the target is near, in several pictures", Outcome.FOUND)


def _trouble(senses: Senses) -> str:
    """Why there is nothing to go by yet."""
    if senses.percept is None:
        return "none came; is the inference node running?"
    return "the newest was cut or could not be read"
