"""The cheapest ways over the ground as it is known: short, and unlikely to be blocked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.grid import Floats, Grid
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.place import Place

_CELL_M = 0.2
_HALF_M = 6.0
_AHEAD_M = 0.8
_BLOCKED_COSTS = 20.0
"""Metres of free way that one metre of surely blocked way is worth."""
_UNKNOWN_COSTS = 0.3
"""As much for a metre that nothing is known of: there may be a wall."""
_MOVES = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0))


class Ways:
    """From where the robot stands to every place around it, ``_HALF_M`` in each direction.

    ``cost_m`` is in metres of free way, a flat array over ``grid``.
    """

    def __init__(self, ground: Ground, pose: Pose) -> None:
        self.grid = Grid(pose.x_m, pose.y_m, _HALF_M, _CELL_M)
        self._start = int(self.grid.cells_at(pose.x_m, pose.y_m))
        count = self.grid.count
        middles_m = self.grid.centres_m
        price = 1.0 + _BLOCKED_COSTS * ground.crowded(*middles_m) ** 2 + _UNKNOWN_COSTS * ground.unknown(*middles_m)
        self._costs = _costs_from(self._start, price.reshape(count, count))
        self.cost_m: Floats = self._costs[1:-1, 1:-1].ravel()

    def cost_to(self, place: Place) -> float:
        """Cost of the way to ``place``, or to the nearest edge of the grid on the line to it."""
        return float(self.cost_m[self.cell_of(place)])

    def detour_m(self, x_m: Floats, y_m: Floats) -> Floats:
        """How much more the way to each point costs than the straight line; infinite outside the grid."""
        cost_m = np.append(self.cost_m, np.inf)[self.grid.cells_at(x_m, y_m)]
        return np.asarray(np.maximum(0.0, cost_m - np.hypot(x_m - self.grid.x_m, y_m - self.grid.y_m)))

    def next_to(self, goal: Place) -> Place:
        """A place on the way to ``goal``, about ``_AHEAD_M`` away; ``goal`` itself where it is closer."""
        way, start = [self.cell_of(goal)], self._start
        while way[-1] != start:
            way.append(self._before(way[-1]))
        ahead = way[max(0, len(way) - 1 - round(_AHEAD_M / _CELL_M))]
        return goal if ahead == way[0] else self._place(ahead)

    def cell_of(self, place: Place) -> int:
        """The cell of ``place``, drawn into the grid along the line to the robot."""
        away_m = max(abs(place.x_m - self.grid.x_m), abs(place.y_m - self.grid.y_m))
        share = min(1.0, (_HALF_M - _CELL_M / 2) / max(away_m, _CELL_M))
        dx_m, dy_m = place.x_m - self.grid.x_m, place.y_m - self.grid.y_m
        return int(self.grid.cells_at(self.grid.x_m + share * dx_m, self.grid.y_m + share * dy_m))

    def _before(self, cell: int) -> int:
        """The cell one comes from on the way to ``cell``."""
        count = self.grid.count
        row, column = 1 + cell // count, 1 + cell % count
        dx, dy = min(_MOVES, key=lambda move: float(self._costs[row + move[0], column + move[1]]))
        return (row + dx - 1) * count + column + dy - 1

    def _place(self, cell: int) -> Place:
        x_m, y_m = self.grid.centres_m
        return Place(float(x_m[cell]), float(y_m[cell]))


def _costs_from(start: int, price: NDArray[np.float64]) -> Floats:
    """Cost of the cheapest way to each cell, with a rim of infinity: all at once until nothing changes (Bellman)."""
    count = len(price)
    cost = np.full((count + 2, count + 2), np.inf)
    cost[1 + start // count, 1 + start % count] = 0.0
    inner = cost[1:-1, 1:-1]
    while True:
        before = inner.copy()
        for dx, dy in _MOVES:
            there = cost[1 + dx : 1 + dx + count, 1 + dy : 1 + dy + count]
            np.minimum(inner, there + _CELL_M * math.hypot(dx, dy) * price, out=inner)
        if np.array_equal(before, inner):
            return cost
