"""Which views the camera has had, and how much another one would tell that they did not."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.grid import Floats, wrapped_all

_NEW_TURN_RAD = math.radians(20.0)
_NEW_WAY_M = 0.4
_NEW_TIME_S = 4.0
_MOST_BY_TIME = 0.15
_KEPT = 2000
_BESIDE_M = 1.5
"""A picture from so close by shows the same floor, and the same walls that hide the rest."""


class Looks:
    """Two pictures err independently when taken from far enough apart; else they repeat each other's errors."""

    def __init__(self) -> None:
        self._looks: Floats = np.empty((0, 4))

    def add(self, pose: Pose, stamp_s: float) -> None:
        """Note a picture."""
        look = [[pose.x_m, pose.y_m, pose.yaw_rad, stamp_s]]
        self._looks = np.concatenate([self._looks[-_KEPT + 1 :], look])

    def novelty(self, pose: Pose, turns_rad: Floats, stamp_s: float) -> Floats:
        """0 (seen it all) to 1 (new) for pictures from ``pose`` turned by each of ``turns_rad``."""
        x_m, y_m, yaw_rad, then_s = self._looks.T[:, :, np.newaxis]
        turned = newness(pose.yaw_rad + turns_rad - yaw_rad)
        moved = np.hypot(pose.x_m - x_m, pose.y_m - y_m) / _NEW_WAY_M
        waited = np.minimum(np.abs(stamp_s - then_s) / _NEW_TIME_S, _MOST_BY_TIME)
        return np.asarray(np.minimum(1.0, turned + moved + waited).min(axis=0, initial=1.0))

    def shown_from_beside(self, x_m: Floats, y_m: Floats, sectors: int, half_fov_rad: float) -> NDArray[np.bool_]:
        """For places and directions from them (``sectors`` from -pi on): has the camera looked there from close by?"""
        look_x_m, look_y_m, yaw_rad, _ = self._looks.T
        beside = np.hypot(x_m[:, np.newaxis] - look_x_m, y_m[:, np.newaxis] - look_y_m) < _BESIDE_M
        angles_rad = np.arange(sectors) * 2 * np.pi / sectors - np.pi
        towards = np.abs(wrapped_all(yaw_rad[:, np.newaxis] - angles_rad)) < half_fov_rad
        return np.asarray(beside.astype(np.float64) @ towards.astype(np.float64) > 0.0)


def newness(turns_rad: Floats) -> Floats:
    """0 (the same picture) and more, for a picture that is turned by each of ``turns_rad`` against another."""
    return np.abs(wrapped_all(turns_rad)) / _NEW_TURN_RAD
