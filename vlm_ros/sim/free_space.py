"""Where the robot's middle may be, and how far it must at least drive: the yardstick for its detours."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.robot import CAMERA_FORWARD_M, ROBOT_RADIUS_M
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.truth import NEAR_M

CELL_M = 0.05
_MOVES = tuple((dx, dy) for dx in range(-2, 3) for dy in range(-2, 3) if math.gcd(dx, dy) == 1)
"""Sixteen directions: a path of these is at most 2.8 % longer than the straight line."""
_SIGHT_SAMPLES = 24


class FreeSpace:
    """A grid over the room of ``scene``, row by y and column by x, ``CELL_M`` a cell."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        low_x, low_y, high_x, high_y = scene.bounds_m
        xs, ys = np.arange(low_x, high_x + CELL_M, CELL_M), np.arange(low_y, high_y + CELL_M, CELL_M)
        self._x_m, self._y_m = np.meshgrid(xs, ys)
        self._low = low_x, low_y
        self._free = nearest_distance_m(scene.footprints, self._x_m, self._y_m) >= ROBOT_RADIUS_M

    def free(self, x_m: ArrayLike, y_m: ArrayLike) -> NDArray[np.bool_]:
        """Whether the robot fits with its middle there; same shape as the points."""
        return np.asarray(nearest_distance_m(self._scene.footprints, x_m, y_m) >= ROBOT_RADIUS_M)

    def shortest_path_m(self, start: Pose, target: str) -> float:
        """Length of the shortest way from ``start`` to where the robot can face ``target`` near and unhidden.

        Infinite where there is no such way, or no such object.
        """
        goals = self._goals(target)
        lengths_m = self._lengths_m(start)
        return float(lengths_m[goals].min(initial=np.inf))

    def _goals(self, target: str) -> NDArray[np.bool_]:
        """Free cells that have the target near, for a robot that faces it, with nothing in between."""
        thing = self._scene.object_named(target)
        if thing is None:
            return np.zeros_like(self._free)
        near = self._free & (thing.footprint.distance_m(self._x_m, self._y_m) <= NEAR_M + CAMERA_FORWARD_M)
        x_m, y_m = self._x_m[near], self._y_m[near]
        others = self._scene.footprints_without(thing)
        share = np.linspace(0.0, 1.0, _SIGHT_SAMPLES)[:, np.newaxis]
        along_x, along_y = x_m + share * (thing.x_m - x_m), y_m + share * (thing.y_m - y_m)
        near[near] = (nearest_distance_m(others, along_x, along_y) > 0.0).all(axis=0)
        return near

    def _lengths_m(self, start: Pose) -> NDArray[np.float64]:
        """Length of the shortest way from ``start`` to every cell, infinite where there is none.

        Relaxes all cells at once until nothing changes (Bellman and Ford), which numpy does
        faster than a queue of single cells.
        """
        lengths_m = np.full(self._free.shape, np.inf)
        column, row = (round((at - low) / CELL_M) for at, low in zip((start.x_m, start.y_m), self._low, strict=True))
        lengths_m[row, column] = 0.0
        while True:
            before = lengths_m.copy()
            for dx, dy in _MOVES:
                here, there = _overlap(dx, dy)
                np.minimum(lengths_m[there], lengths_m[here] + CELL_M * math.hypot(dx, dy), out=lengths_m[there])
                lengths_m[~self._free] = np.inf
            if np.array_equal(before, lengths_m):
                return lengths_m


def _overlap(dx: int, dy: int) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Index of all cells that have a neighbour ``(dx, dy)`` away, and of those neighbours."""
    (row, row_there), (column, column_there) = _shifted(dy), _shifted(dx)
    return (row, column), (row_there, column_there)


def _shifted(by: int) -> tuple[slice, slice]:
    return slice(max(0, -by), -by if by > 0 else None), slice(max(0, by), by if by < 0 else None)
