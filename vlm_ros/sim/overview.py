"""The room and the robot seen from straight above, for people."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.sim.gl import mujoco
from vlm_ros.sim.renderer import Renderer
from vlm_ros.sim.room_model import LARGEST_PICTURE_PX, WALL_HEIGHT_M
from vlm_ros.sim.world import World

_MARGIN_M = 0.2


class Overview:
    """A square picture, x to the right and y up; use it from one thread, and close it (or use ``with``)."""

    def __init__(self, world: World, size_px: int = LARGEST_PICTURE_PX) -> None:
        self._size_px = size_px
        self._renderer = Renderer(world, size_px, size_px)
        low_x, low_y, high_x, high_y = world.scene.bounds_m
        half_m = max(high_x - low_x, high_y - low_y) / 2 + _MARGIN_M
        half_view = math.tan(math.radians(world.model.vis.global_.fovy) / 2)
        height_m = half_m / half_view + WALL_HEIGHT_M
        self._pixels_per_m = size_px / 2 / (height_m * half_view)
        self._middle_m = (low_x + high_x) / 2, (low_y + high_y) / 2
        self._viewpoint = mujoco.MjvCamera()
        self._viewpoint.lookat[:] = (*self._middle_m, 0.0)
        self._viewpoint.distance, self._viewpoint.azimuth, self._viewpoint.elevation = height_m, 90.0, -90.0

    def render(self) -> RgbImage:
        """What is seen now, shape (size, size, 3)."""
        return self._renderer.draw(self._viewpoint)

    def pixel_of(self, x_m: ArrayLike, y_m: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Column and row of points of the floor in ``render``."""
        column = self._size_px / 2 + (np.asarray(x_m) - self._middle_m[0]) * self._pixels_per_m
        row = self._size_px / 2 - (np.asarray(y_m) - self._middle_m[1]) * self._pixels_per_m
        return column, row

    def close(self) -> None:
        """Free the drawing surface; the overview is of no use afterwards."""
        self._renderer.close()

    def __enter__(self) -> Overview:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
