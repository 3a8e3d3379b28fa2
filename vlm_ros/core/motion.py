"""Velocities, poses and laser scans as plain values (REP 103: x forward, y left, yaw counter-clockwise)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Velocity:
    """A wish or a command for a differential-drive base."""

    linear_mps: float
    angular_radps: float


STANDSTILL = Velocity(0.0, 0.0)


@dataclass(frozen=True)
class Pose:
    """Where the robot is in its odometry frame."""

    x_m: float
    y_m: float
    yaw_rad: float


@dataclass(frozen=True)
class Odometry:
    """A pose and the velocity measured with it, at ``stamp_s`` on the navigator's clock."""

    pose: Pose
    velocity: Velocity
    stamp_s: float


@dataclass(frozen=True)
class Scan:
    """One turn of a laser scanner: ``ranges_m[i]`` lies at ``angle_min_rad + i * angle_step_rad``.

    As in REP 117 a range is -inf where something is too close to measure, inf where nothing is in range, and NaN where
    nothing was measured. Drivers from before say the same by a range below ``range_min_m``, one above ``range_max_m``,
    and 0. Rays that see the robot's own body are NaN: what filters scans makes them so, whatever ``range_min_m`` is.
    """

    ranges_m: NDArray[np.float32]
    angle_min_rad: float
    angle_step_rad: float
    range_min_m: float
    range_max_m: float
    stamp_s: float
