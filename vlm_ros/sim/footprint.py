"""Where things stand on the floor: every wall and object is a rectangle with rounded corners."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Metres = NDArray[np.float64]


@dataclass(frozen=True)
class Footprint:
    """A rectangle of the given half sizes, turned by ``yaw_rad`` and grown by ``radius_m`` on all sides.

    A disc has half sizes 0, a box radius 0.
    """

    x_m: float
    y_m: float
    yaw_rad: float
    half_length_m: float
    half_width_m: float
    radius_m: float

    @property
    def corners_m(self) -> Metres:
        """(4, 2) where the sides of the rectangle meet, before it is grown."""
        along = self.half_length_m * np.array([math.cos(self.yaw_rad), math.sin(self.yaw_rad)])
        across = self.half_width_m * np.array([-math.sin(self.yaw_rad), math.cos(self.yaw_rad)])
        return np.array([self.x_m, self.y_m]) + [along + across, along - across, -along - across, across - along]

    def distance_m(self, x_m: ArrayLike, y_m: ArrayLike) -> Metres:
        """Distance from points to the outline, negative inside; same shape as the points.

        The signed distance to a box, as in Quilez, "2D distance functions" (iquilezles.org).
        """
        dx, dy = np.asarray(x_m) - self.x_m, np.asarray(y_m) - self.y_m
        cos, sin = np.cos(self.yaw_rad), np.sin(self.yaw_rad)
        along = np.abs(cos * dx + sin * dy) - self.half_length_m
        across = np.abs(cos * dy - sin * dx) - self.half_width_m
        outside = np.hypot(np.maximum(along, 0.0), np.maximum(across, 0.0))
        inside = np.minimum(np.maximum(along, across), 0.0)
        return np.asarray(outside + inside - self.radius_m)


def nearest_distance_m(footprints: Iterable[Footprint], x_m: ArrayLike, y_m: ArrayLike) -> Metres:
    """Distance from points to the nearest of ``footprints``; infinite where there are none."""
    nearest = np.full(np.broadcast(x_m, y_m).shape, np.inf)
    for footprint in footprints:
        nearest = np.minimum(nearest, footprint.distance_m(x_m, y_m))
    return nearest
