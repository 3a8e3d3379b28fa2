"""Where the robot is, and where it was when a picture was taken."""

from __future__ import annotations

import bisect
import math
from collections import deque

from vlm_ros.core.motion import Odometry, Pose, Velocity

_KEPT_S = 20.0
_ODOMETRY_SILENCE_S = 0.5
_LARGEST_JUMP_M = 0.5


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


class Track:
    """Poses of the last seconds, in a frame that starts where the robot stood first.

    Odometry is used by its increments; while there is none, the robot's own commands are
    integrated instead, so that the two may take turns without a jump.
    """

    def __init__(self) -> None:
        self._stamps_s: deque[float] = deque()
        self._poses: deque[Pose] = deque()
        self._ways_m: deque[float] = deque()
        self._pose = Pose(0.0, 0.0, 0.0)
        self._odometry: Odometry | None = None
        self._met = (self._pose, self._pose)
        """The odometry's newest pose, and the track's at that moment."""

    @property
    def pose(self) -> Pose:
        """The newest pose."""
        return self._pose

    def on_odometry(self, odometry: Odometry) -> None:
        """Move by what the odometry says since its last message; a jump (a reset odometer) is no motion.

        Poses that are no numbers are ignored.
        """
        if not all(map(math.isfinite, (odometry.pose.x_m, odometry.pose.y_m, odometry.pose.yaw_rad))):
            return
        before, self._odometry = self._odometry, odometry
        if before is not None and 0.0 < odometry.stamp_s - before.stamp_s < _ODOMETRY_SILENCE_S:
            step = seen_in(before.pose, odometry.pose)
            if math.hypot(step.x_m, step.y_m) < _LARGEST_JUMP_M:
                self._append(odometry.stamp_s, composed(self._pose, step))
        self._met = odometry.pose, self._pose

    def on_command(self, velocity: Velocity, from_s: float, to_s: float) -> None:
        """Move as ``velocity`` would have between two moments, unless odometry knows better."""
        duration_s = to_s - from_s
        if self._odometry is not None and abs(to_s - self._odometry.stamp_s) < _ODOMETRY_SILENCE_S:
            return
        if 0.0 < duration_s < _ODOMETRY_SILENCE_S:
            self._append(to_s, composed(self._pose, arc(velocity, duration_s)))

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
        return composed(self._poses[later - 1], Pose(share * step.x_m, share * step.y_m, share * step.yaw_rad))

    def has_forgotten(self, stamp_s: float) -> bool:
        """Whether ``stamp_s`` lies so far back that nobody knows where the robot was."""
        return bool(self._stamps_s) and self._stamps_s[-1] - stamp_s > _KEPT_S

    def in_odometry(self, pose: Pose) -> Pose:
        """``pose``, given in the track's frame, in the odometry's; the same where no odometry has come yet."""
        odometry, track = self._met
        return composed(odometry, seen_in(track, pose))

    def driven_since_m(self, stamp_s: float) -> float:
        """Way driven since ``stamp_s``, there and back; as far as the track goes back."""
        if not self._ways_m:
            return 0.0
        before = max(0, bisect.bisect_right(self._stamps_s, stamp_s) - 1)
        return self._ways_m[-1] - self._ways_m[before]

    def _append(self, stamp_s: float, pose: Pose) -> None:
        if self._stamps_s and stamp_s <= self._stamps_s[-1]:
            for kept in (self._stamps_s, self._poses, self._ways_m):
                kept.clear()
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
