"""Odometry from wheel turns, with or without the errors that real wheels make."""

from __future__ import annotations

import math

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.sim.robot import TRACK_M, WHEEL_RADIUS_M


class DeadReckoning:
    """A pose summed up from the angles of the two wheels.

    ``noise`` is the standard deviation of each wheel's error as a share of the way it rolled in a
    step: 0 is ideal, 0.05 a poor floor. The same ``seed`` makes the same errors.
    """

    def __init__(self, start: Pose, left_rad: float, right_rad: float, noise: float = 0.0, seed: int = 0) -> None:
        self.pose = start
        self._wheels_rad = np.array([left_rad, right_rad])
        self._noise = noise
        self._rng = np.random.default_rng(seed)

    def update(self, left_rad: float, right_rad: float) -> None:
        """Take the wheels' new angles in. The robot is taken to drive an arc, by its middle heading."""
        wheels_rad = np.array([left_rad, right_rad])
        errors = 1.0 + self._noise * self._rng.standard_normal(2)
        left_m, right_m = (wheels_rad - self._wheels_rad) * WHEEL_RADIUS_M * errors
        self._wheels_rad = wheels_rad
        way_m, turn_rad = (left_m + right_m) / 2, (right_m - left_m) / TRACK_M
        heading_rad = self.pose.yaw_rad + turn_rad / 2
        self.pose = Pose(
            float(self.pose.x_m + way_m * math.cos(heading_rad)),
            float(self.pose.y_m + way_m * math.sin(heading_rad)),
            math.remainder(self.pose.yaw_rad + turn_rad, 2 * math.pi),
        )
