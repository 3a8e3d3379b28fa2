"""How much of the floor the robot's camera has looked at."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.scene import Scene, camera_position_m

LOOK_RANGE_M = 3.2
"""How far a look counts: from here on the smallest thing, a cone 0.32 m high, is too small to count as visible."""
CELL_M = 0.05
_RAY_RAD = math.radians(0.5)
_STEP_M = 0.04


class Coverage:
    """The free floor of ``scene`` as a grid, row by y and column by x, and which cells of it were seen.

    A cell is seen when it lies within the camera's field of view, not further away than ``LOOK_RANGE_M``,
    and no wall or object stands on the straight line to it.
    """

    def __init__(self, scene: Scene) -> None:
        low_x, low_y, high_x, high_y = scene.bounds_m
        xs, ys = np.arange(low_x, high_x + CELL_M, CELL_M), np.arange(low_y, high_y + CELL_M, CELL_M)
        self.free: NDArray[np.bool_] = nearest_distance_m(scene.footprints, *np.meshgrid(xs, ys)) > 0.0
        self.free[:, xs > high_x] = self.free[ys > high_y] = False
        self.seen = np.zeros_like(self.free)
        self.corner_m = low_x, low_y
        half_rad = math.radians(scene.camera.horizontal_fov_deg) / 2
        self._angles_rad = np.arange(-half_rad, half_rad + 1e-9, _RAY_RAD)[:, np.newaxis]
        self._away_m = np.arange(0.0, LOOK_RANGE_M, _STEP_M)

    def look(self, pose: Pose) -> None:
        """Count what the camera of a robot at ``pose`` sees."""
        x_m, y_m = camera_position_m(pose)
        heading_rad = pose.yaw_rad + self._angles_rad
        columns = self._cell(x_m + self._away_m * np.cos(heading_rad) - self.corner_m[0], self.free.shape[1])
        rows = self._cell(y_m + self._away_m * np.sin(heading_rad) - self.corner_m[1], self.free.shape[0])
        unhidden = np.logical_and.accumulate(self.free[rows, columns], axis=1)
        self.seen[rows[unhidden], columns[unhidden]] = True

    @property
    def share(self) -> float:
        """Seen floor of all that is free, 0..1."""
        return float(self.seen.sum() / self.free.sum())

    def _cell(self, offset_m: NDArray[np.float64], count: int) -> NDArray[np.int64]:
        return np.clip(np.rint(offset_m / CELL_M).astype(np.int64), 0, count - 1)
