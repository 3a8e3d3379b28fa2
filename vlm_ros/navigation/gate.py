"""The last word before the wheels: what may be driven of what is wished, and why not more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

from vlm_ros.core.config import setting
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.motion import STANDSTILL, Scan, Velocity
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range
from vlm_ros.navigation.guard import blindness, braking_speed_mps, free_path_m
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.track import wrapped

_LONGEST_STEP_S = 0.1
_CLOCK_SLACK_S = 0.5
_PATIENCE = 1.5
"""An answer may take so many times as long as answers usually do."""


class Reason(Enum):
    """Why a command is what it is; the values travel in ``navigation_state``."""

    DRIVING = "driving"
    STANDING = "standing"
    IDLE = "idle"
    NO_TARGET = "no_target"
    DEACTIVATED = "deactivated"
    SHUTTING_DOWN = "shutting_down"
    BAD_WISH = "bad_wish"
    SILENT = "silent"
    STALE_PERCEPT = "stale_percept"
    UNSEEN_GROUND = "unseen_ground"
    UNREADABLE_PERCEPT = "unreadable_percept"
    PATH_BLOCKED = "path_blocked"
    OBSTACLE = "obstacle"
    SPEED_LIMIT = "speed_limit"
    ACCELERATION_LIMIT = "acceleration_limit"


@dataclass(frozen=True)
class GateConfig:
    """Limits of the robot. The four limits of motion have no default: 0 stands for "not given" and is refused."""

    max_linear_mps: float = setting(0.0, "highest speed", unit="m/s", low=0.0, high=3.0, live=True)
    max_angular_radps: float = setting(0.0, "highest turn rate", unit="rad/s", low=0.0, high=6.0, live=True)
    max_linear_mps2: float = setting(0.0, "highest acceleration", unit="m/s^2", low=0.0, high=10.0, live=True)
    max_angular_radps2: float = setting(0.0, "highest turn acceleration", unit="rad/s^2", low=0.0, high=30.0, live=True)
    max_blind_m: float = setting(
        0.5, "how far the robot drives past the place of the newest picture with an answer", unit="m", low=0.05,
        high=5.0, live=True,
    )  # fmt: skip
    max_percept_age_s: float = setting(
        1.5, "age of the newest picture with an answer past which the robot stands; more for a model that has been "
        "slower all along", unit="s", low=0.1, high=30.0, live=True,
    )  # fmt: skip
    max_silence_s: float = setting(
        1.5, "time without any answer past which the robot stands; more for a model that has been slower all along",
        unit="s", low=0.1, high=30.0, live=True,
    )  # fmt: skip
    longest_wait_s: float = setting(
        12.0, "age and silence past which the robot stands however slow the model has been", unit="s", low=0.1,
        high=60.0, live=True,
    )  # fmt: skip
    max_scan_age_s: float = setting(
        0.5, "age of the newest laser scan past which a robot that had one stands", unit="s", low=0.1, high=5.0,
        live=True,
    )  # fmt: skip
    robot_radius_m: float = setting(0.2, "radius of a circle around the robot", unit="m", low=0.02, high=2.0)
    guard_margin_m: float = setting(
        0.08, "distance kept from what the laser sees", unit="m", low=0.0, high=1.0, live=True
    )
    reaction_s: float = setting(
        0.1, "time from a command to the wheels, for braking before obstacles", unit="s", low=0.0, high=1.0, live=True
    )


@dataclass(frozen=True)
class Command:
    """A velocity that may be driven, and what kept it from the wish: a code, and words (empty: nothing)."""

    velocity: Velocity
    reason: Reason
    text: str


@dataclass(frozen=True)
class _Cap:
    """The highest forward or backward speed that one rule allows."""

    linear_mps: float
    reason: Reason
    text: str


class CommandGate:
    """Turns wishes into commands, one step after the other; remembers only the last command."""

    def __init__(self, limits: GateConfig) -> None:
        self._last = STANDSTILL
        self._last_s = math.inf
        self.limits = limits

    @property
    def limits(self) -> GateConfig:
        """The limits; may be replaced while driving. ``BadConfig`` where a limit of motion is not given."""
        return self._limits

    @limits.setter
    def limits(self, limits: GateConfig) -> None:
        for name in ("max_linear_mps", "max_angular_radps", "max_linear_mps2", "max_angular_radps2"):
            if not getattr(limits, name) > 0.0:
                raise BadConfig(f"'{name}' is {getattr(limits, name)}: there is no default, give this robot's limit")
        self._limits = limits

    def step(self, wish: Wish, senses: Senses) -> Command:
        """The command for this moment; the most restrictive rule wins and gives the reason."""
        dt_s = min(max(senses.now_s - self._last_s, 0.0), _LONGEST_STEP_S)
        self._last_s = senses.now_s
        refusal = self._refusal(wish, senses)
        command = refusal or self._limited(wish, senses, dt_s)
        self._last = command.velocity
        return command

    def stop(self, reason: Reason, text: str, now_s: float) -> Command:
        """Zero at once, for whatever needs no wish: idle, deactivated, shutting down."""
        self._last, self._last_s = STANDSTILL, now_s
        return Command(STANDSTILL, reason, text)

    def _refusal(self, wish: Wish, senses: Senses) -> Command | None:
        """Zero, where there is a ground to refuse any motion."""
        limits, percept = self._limits, senses.percept
        if not (math.isfinite(wish.velocity.linear_mps) and math.isfinite(wish.velocity.angular_radps)):
            return _zero(Reason.BAD_WISH, f"the policy wished for {wish.velocity}")
        if percept is None:
            return _zero(Reason.SILENT, "no answer yet: is the inference node running?")
        if not senses.silence_s <= self._patience_s(limits.max_silence_s, senses.answer_every_s):
            return _zero(Reason.SILENT, f"no answer for {senses.silence_s:.1f} s: is the inference node running?")
        # A model that is slow takes one interval for an answer, and the next picture waits as long. Pictures that are
        # older than that are late for another reason, and are not to be trusted.
        longest_age_s = self._patience_s(limits.max_percept_age_s, 2 * senses.answer_every_s)
        if not -_CLOCK_SLACK_S <= senses.percept_age_s <= longest_age_s:
            return _zero(
                Reason.STALE_PERCEPT,
                f"the newest answer is about a picture {senses.percept_age_s:.1f} s old, "
                f"at most {longest_age_s:.2g} s is allowed",
            )
        if not percept.readable:
            text = percept.refusal or "the newest answer was cut or could not be read"
            return _zero(Reason.UNREADABLE_PERCEPT, text)
        if senses.scan is not None and senses.now_s - senses.scan.stamp_s > limits.max_scan_age_s:
            return _zero(Reason.OBSTACLE, f"the laser fell silent {senses.now_s - senses.scan.stamp_s:.1f} s ago")
        return None

    def _patience_s(self, at_least_s: float, usual_s: float) -> float:
        """How long to wait for what usually takes ``usual_s``."""
        return min(self._limits.longest_wait_s, max(at_least_s, _PATIENCE * usual_s))

    def _limited(self, wish: Wish, senses: Senses, dt_s: float) -> Command:
        """The wish as far as the rules allow it, approached by the acceleration limits.

        Those are for a smooth ride and wheels that grip, so they give way: a robot that rolls faster than the rules
        allow by now comes down at once, however gently it is told to brake and whatever else it wishes.
        """
        linear, max_turn = wish.velocity.linear_mps, self._limits.max_angular_radps
        cap = self._cap(linear, senses)
        allowed = Velocity(_clamped(linear, cap.linear_mps), _clamped(wish.velocity.angular_radps, max_turn))
        smooth = self._ramped(allowed, dt_s)
        same_way = linear * smooth.linear_mps > 0.0
        rolling = cap if same_way else self._cap(smooth.linear_mps, senses, slows=linear <= 0.0)
        velocity = Velocity(_clamped(smooth.linear_mps, rolling.linear_mps), _clamped(smooth.angular_radps, max_turn))
        if abs(allowed.linear_mps) < abs(linear):
            return Command(velocity, cap.reason, cap.text)
        if velocity != allowed:
            return Command(velocity, Reason.ACCELERATION_LIMIT, "speeding up or slowing down")
        return _passed(velocity)

    def _cap(self, linear_mps: float, senses: Senses, *, slows: bool = False) -> _Cap:
        """The rule that allows least of driving at ``linear_mps``, of which only the direction counts.

        A blocked path forbids to drive on: a robot that ``slows`` to a standstill already may do so smoothly.
        """
        limits = self._limits
        caps = [_Cap(limits.max_linear_mps, Reason.SPEED_LIMIT, f"limited to {limits.max_linear_mps:g} m/s")]
        if linear_mps > 0.0 and not slows and blocks_here(senses):
            caps.append(_Cap(0.0, Reason.PATH_BLOCKED, "the path straight ahead is blocked"))
        if linear_mps != 0.0:
            caps.append(self._blind_cap(senses.driven_m))
        if linear_mps != 0.0 and senses.scan is not None:
            caps.append(self._laser_cap(senses.scan, backwards=linear_mps < 0.0))
        return min(caps, key=lambda cap: cap.linear_mps)

    def _blind_cap(self, driven_m: float) -> _Cap:
        limits = self._limits
        left_m = max(0.0, limits.max_blind_m - driven_m)
        speed_mps = braking_speed_mps(left_m, limits.max_linear_mps2, limits.reaction_s)
        return _Cap(speed_mps, Reason.UNSEEN_GROUND, f"driven {driven_m:.2f} m since the newest picture with an answer")

    def _laser_cap(self, scan: Scan, *, backwards: bool) -> _Cap:
        limits = self._limits
        free_m = free_path_m(scan, limits.robot_radius_m, limits.guard_margin_m, backwards=backwards)
        speed_mps = braking_speed_mps(free_m, limits.max_linear_mps2, limits.reaction_s)
        reach_m = limits.robot_radius_m + limits.guard_margin_m
        unseen = blindness(scan, reach_m, backwards=backwards) if free_m == 0.0 else ""
        text = unseen or f"the laser sees an obstacle after {free_m:.2f} m"
        return _Cap(speed_mps, Reason.OBSTACLE, text)

    def _ramped(self, wanted: Velocity, dt_s: float) -> Velocity:
        limits, last = self._limits, self._last
        linear = _towards(last.linear_mps, wanted.linear_mps, limits.max_linear_mps2 * dt_s)
        angular = _towards(last.angular_radps, wanted.angular_radps, limits.max_angular_radps2 * dt_s)
        return Velocity(linear, angular)


def blocks_here(senses: Senses) -> bool:
    """Whether the newest percept forbids driving forward: blocked, and by something else than the near target.

    An answer about another direction than the robot now faces forbids nothing.
    """
    percept = senses.percept
    if percept is None or percept.path is not PathAhead.BLOCKED or _target_in_reach(percept):
        return False
    return abs(wrapped(senses.pose.yaw_rad - senses.seen_from.yaw_rad)) < math.radians(20.0)


def _target_in_reach(percept: Percept) -> bool:
    return percept.bearing is Bearing.CENTER and percept.range is Range.NEAR


def _passed(velocity: Velocity) -> Command:
    return Command(velocity, Reason.STANDING if velocity == STANDSTILL else Reason.DRIVING, "")


def _zero(reason: Reason, text: str) -> Command:
    return Command(STANDSTILL, reason, text)


def _clamped(value: float, limit: float) -> float:
    return min(max(value, -limit), limit)


def _towards(value: float, goal: float, step: float) -> float:
    return value + _clamped(goal - value, step)
