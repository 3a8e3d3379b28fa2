"""Where the robot is, and where it was when a picture was taken."""

from __future__ import annotations

import bisect
import math
from collections import deque
from dataclasses import dataclass

from vlm_ros.core.motion import Odometry, Pose, Velocity

_KEPT_S = 20.0
_FRESH_S = 0.2
"""How long commands wait for odometry to tell of the same time."""
_LONGEST_GAP_S = 2.0
"""Odometry that is rarer or later than this does not know better than the commands."""
_LONGEST_COMMAND_S = 0.5
_LARGEST_JUMP_M = 0.5
_LARGEST_JUMP_RAD = 1.0
"""What a robot may move without a command of ours; anything more is an odometer that begins anew."""


def wrapped(angle_rad: float) -> float:
    """The same direction within -pi..pi."""
    return math.remainder(angle_rad, math.tau)


def seen_in(frame: Pose, pose: Pose) -> Pose:
    """``pose`` as seen from ``frame``."""
    dx, dy = pose.x_m - frame.x_m, pose.y_m - frame.y_m
    cos, sin = math.cos(frame.yaw_rad), math.sin(frame.yaw_rad)
    return Pose(cos * dx + sin * dy, cos * dy - sin * dx, wrapped(pose.yaw_rad - frame.yaw_rad))


def composed(frame: Pose, step: Pose) -> Pose:
    """``step``, given as seen from ``frame``, in the coordinates ``frame`` itself is given in."""
    cos, sin = math.cos(frame.yaw_rad), math.sin(frame.yaw_rad)
    return Pose(
        frame.x_m + cos * step.x_m - sin * step.y_m,
        frame.y_m + sin * step.x_m + cos * step.y_m,
        wrapped(frame.yaw_rad + step.yaw_rad),
    )


def part(step: Pose, share: float) -> Pose:
    """The first ``share`` of ``step``, 0..1, driven evenly."""
    return Pose(share * step.x_m, share * step.y_m, share * step.yaw_rad)


@dataclass(frozen=True)
class _Commanded:
    """What was commanded from one moment to another."""

    velocity: Velocity
    from_s: float
    to_s: float

    def within(self, from_s: float, to_s: float) -> _Commanded:
        return _Commanded(self.velocity, max(self.from_s, from_s), min(self.to_s, to_s))

    @property
    def duration_s(self) -> float:
        return max(0.0, self.to_s - self.from_s)


class Track:
    """Poses of the last seconds, in a frame that starts where the robot stood first.

    Odometry is used by its increments. What it has not told yet is guessed from the robot's own commands, and replaced
    when it does: no moment is counted twice, and none is left out, however rare or late odometry is.
    """

    def __init__(self) -> None:
        self._stamps_s: deque[float] = deque()
        self._poses: deque[Pose] = deque()
        self._ways_m: deque[float] = deque()
        self._pose = Pose(0.0, 0.0, 0.0)
        self._odometry: Odometry | None = None
        self._met = (self._pose, self._pose)
        """The odometry's newest pose, and the track's at that moment."""
        self._commands: deque[_Commanded] = deque()
        self._now_s = self._reached_s = -math.inf
        """The time of the newest command, and the moment that the newest pose is about."""

    @property
    def pose(self) -> Pose:
        """The newest pose."""
        return self._pose

    @property
    def is_overdue(self) -> bool:
        """Whether there has been odometry, and its newest is not fresh."""
        return self._odometry is not None and self._now_s - self._odometry.stamp_s >= _FRESH_S

    def on_odometry(self, odometry: Odometry) -> None:
        """Move by what the odometry says since its last message; a jump (a reset odometer) is no motion.

        Poses that are no numbers, and those that come too late to be of use, are ignored.
        """
        if not all(map(math.isfinite, (odometry.pose.x_m, odometry.pose.y_m, odometry.pose.yaw_rad))):
            return
        if self._now_s - odometry.stamp_s > _LONGEST_GAP_S:
            return
        before, self._odometry = self._odometry, odometry
        if before is not None and self._has_driven(before, odometry):
            self._replace_guess(seen_in(before.pose, odometry.pose), before.stamp_s, odometry.stamp_s)
        else:
            self._end_guess(odometry.stamp_s)
        self._met = odometry.pose, self._pose
        self._reached_s = odometry.stamp_s
        self._guess_where_stale()

    def on_command(self, velocity: Velocity, from_s: float, to_s: float) -> None:
        """Move as ``velocity`` would have between two moments, unless odometry knows better."""
        self._now_s = to_s
        if 0.0 < to_s - from_s < _LONGEST_COMMAND_S:
            self._commands.append(_Commanded(velocity, from_s, to_s))
        while self._commands and self._commands[0].to_s < to_s - _LONGEST_GAP_S:
            self._commands.popleft()
        self._guess_where_stale()

    def at(self, stamp_s: float) -> Pose:
        """The pose at ``stamp_s``; the oldest or newest one known where that lies outside the track."""
        if not self._poses:
            return self._pose
        later = bisect.bisect_left(self._stamps_s, stamp_s)
        if later in (0, len(self._poses)):
            return self._poses[min(later, len(self._poses) - 1)]
        before_s, after_s = self._stamps_s[later - 1], self._stamps_s[later]
        share = (stamp_s - before_s) / (after_s - before_s)
        step = seen_in(self._poses[later - 1], self._poses[later])
        return composed(self._poses[later - 1], part(step, share))

    def has_forgotten(self, stamp_s: float) -> bool:
        """Whether ``stamp_s`` lies so far back that nobody knows where the robot was."""
        return bool(self._stamps_s) and self._stamps_s[-1] - stamp_s > _KEPT_S

    def in_odometry(self, pose: Pose) -> Pose:
        """``pose``, given in the track's frame, in the odometry's; the same where no odometry has come yet."""
        odometry, track = self._met
        return composed(odometry, seen_in(track, pose))

    @property
    def reached_s(self) -> float:
        """The moment that the newest pose is about."""
        return self._reached_s

    def driven_since_m(self, stamp_s: float, until_s: float = math.inf) -> float:
        """Way driven from ``stamp_s`` to ``until_s``, there and back; as far as the track goes back."""
        if not self._ways_m:
            return 0.0
        before, last = (max(0, bisect.bisect_right(self._stamps_s, each_s) - 1) for each_s in (stamp_s, until_s))
        return max(0.0, self._ways_m[last] - self._ways_m[before])

    def _has_driven(self, before: Odometry, now: Odometry) -> bool:
        """Whether the robot can have driven from one pose of the odometry to the next."""
        if not 0.0 < now.stamp_s - before.stamp_s < _LONGEST_GAP_S:
            return False
        way_m, turn_rad = _LARGEST_JUMP_M, _LARGEST_JUMP_RAD
        for commanded in (each.within(before.stamp_s, now.stamp_s) for each in self._commands):
            way_m += abs(commanded.velocity.linear_mps) * commanded.duration_s
            turn_rad += abs(commanded.velocity.angular_radps) * commanded.duration_s
        step = seen_in(before.pose, now.pose)
        return math.hypot(step.x_m, step.y_m) < way_m and abs(step.yaw_rad) < turn_rad

    def _guess_where_stale(self) -> None:
        if self._odometry is None or self.is_overdue:
            self._guess(self._now_s)

    def _guess(self, until_s: float) -> None:
        """Go on as commanded."""
        for commanded in (each.within(self._reached_s, until_s) for each in self._commands):
            if commanded.duration_s > 0.0:
                self._append(commanded.to_s, composed(self._pose, arc(commanded.velocity, commanded.duration_s)))
                self._reached_s = commanded.to_s

    def _replace_guess(self, step: Pose, from_s: float, to_s: float) -> None:
        """Put ``step``, which the odometry tells of, in place of what was guessed, moment by moment."""
        moments_s = [moment_s for moment_s in self._cut(from_s) if moment_s < to_s]
        start = self._pose = self._met[1]
        for moment_s in (*moments_s, to_s):
            self._append(moment_s, composed(start, part(step, (moment_s - from_s) / (to_s - from_s))))

    def _end_guess(self, stamp_s: float) -> None:
        """Be where the robot is guessed to have been at ``stamp_s``."""
        self._guess(stamp_s)
        if self._stamps_s and self._stamps_s[-1] > stamp_s:
            pose = self.at(stamp_s)
            self._cut(stamp_s)
            self._append(stamp_s, pose)

    def _cut(self, stamp_s: float) -> list[float]:
        """Take away what is later than ``stamp_s``; the moments that are gone."""
        gone_s: list[float] = []
        while self._stamps_s and self._stamps_s[-1] > stamp_s:
            gone_s.insert(0, self._stamps_s.pop())
            self._poses.pop()
            self._ways_m.pop()
        if self._poses:
            self._pose = self._poses[-1]
        return gone_s

    def _append(self, stamp_s: float, pose: Pose) -> None:
        step_m = math.hypot(pose.x_m - self._pose.x_m, pose.y_m - self._pose.y_m)
        self._pose = pose
        self._stamps_s.append(stamp_s)
        self._poses.append(pose)
        self._ways_m.append(step_m + (self._ways_m[-1] if self._ways_m else 0.0))
        while self._stamps_s[0] < stamp_s - _KEPT_S:
            for kept in (self._stamps_s, self._poses, self._ways_m):
                kept.popleft()


def arc(velocity: Velocity, duration_s: float) -> Pose:
    """Where a differential drive gets in ``duration_s``, as seen from its start (midpoint rule)."""
    length_m, turn_rad = velocity.linear_mps * duration_s, velocity.angular_radps * duration_s
    return Pose(length_m * math.cos(turn_rad / 2), length_m * math.sin(turn_rad / 2), turn_rad)
