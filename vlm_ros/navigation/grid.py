"""A square of floor in cells, fixed in the robot's own frame."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlm_ros.core.motion import Pose

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """``2 * half_m`` on a side about ``(x_m, y_m)``; values per cell lie in flat arrays of ``count * count``."""

    x_m: float
    y_m: float
    half_m: float
    cell_m: float

    @property
    def count(self) -> int:
        """Cells along one side."""
        return max(1, round(2 * self.half_m / self.cell_m))

    @cached_property
    def centres_m(self) -> tuple[Floats, Floats]:
        """x and y of every cell's middle, flat."""
        steps = (np.arange(self.count) + 0.5) * self.cell_m - self.half_m
        x, y = np.meshgrid(self.x_m + steps, self.y_m + steps, indexing="ij")
        return x.ravel(), y.ravel()

    def polar_from(self, pose: Pose, forward_m: float = 0.0) -> tuple[Floats, Floats]:
        """Distance and direction (-pi..pi, left positive) of every cell, seen from ``forward_m`` ahead of ``pose``."""
        eye_x, eye_y = pose.x_m + forward_m * np.cos(pose.yaw_rad), pose.y_m + forward_m * np.sin(pose.yaw_rad)
        dx, dy = self.centres_m[0] - eye_x, self.centres_m[1] - eye_y
        return np.hypot(dx, dy), wrapped_all(np.arctan2(dy, dx) - pose.yaw_rad)

    def cells_at(self, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.int64]:
        """Flat index of the cell of each point; -1 outside."""
        column = np.floor((np.asarray(x_m) - self.x_m + self.half_m) / self.cell_m).astype(np.int64)
        row = np.floor((np.asarray(y_m) - self.y_m + self.half_m) / self.cell_m).astype(np.int64)
        inside = (column >= 0) & (column < self.count) & (row >= 0) & (row < self.count)
        return np.where(inside, column * self.count + row, -1)


def wrapped_all(angles_rad: Floats) -> Floats:
    """The same directions within -pi..pi."""
    return np.asarray((angles_rad + np.pi) % (2 * np.pi) - np.pi)
