"""The cheapest way over the ground as it is known: short, and unlikely to be blocked."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.grid import Floats, Grid
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.place import Place

_CELL_M = 0.2
_MARGIN_M = 1.6
_LONGEST_M = 4.0
_AHEAD_M = 0.8
_BLOCKED_COSTS = 8.0
"""Metres of free way that one metre of surely blocked way is worth."""
_MOVES = tuple((dx, dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if (dx, dy) != (0, 0))


def next_on_route(ground: Ground, pose: Pose, goal: Place) -> Place:
    """A place on the cheapest way from ``pose`` to ``goal``, at most ``_AHEAD_M`` from ``pose``."""
    distance_m = goal.distance_from(pose)
    if distance_m > _LONGEST_M:
        goal = Place.seen_at(pose, goal.angle_from(pose), _LONGEST_M)
    half_m = min(distance_m, _LONGEST_M) / 2 + _MARGIN_M
    grid = Grid((pose.x_m + goal.x_m) / 2, (pose.y_m + goal.y_m) / 2, half_m, _CELL_M)
    price = 1.0 + _BLOCKED_COSTS * ground.crowded(*grid.centres_m)
    ways_m = _ways_to(int(grid.cells_at(goal.x_m, goal.y_m)), price.reshape(grid.count, grid.count))
    return _follow(grid, ways_m, pose, goal)


def _ways_to(goal: int, price: Floats) -> Floats:
    """Cost of the cheapest way from each cell to ``goal``: all cells at once until nothing changes (Bellman)."""
    count = len(price)
    cost = np.full((count + 2, count + 2), np.inf)
    cost[1 + goal // count, 1 + goal % count] = 0.0
    inner = cost[1:-1, 1:-1]
    while True:
        before = inner.copy()
        for dx, dy in _MOVES:
            there = cost[1 + dx : 1 + dx + count, 1 + dy : 1 + dy + count]
            np.minimum(inner, there + _CELL_M * math.hypot(dx, dy) * price, out=inner)
        if np.array_equal(before, inner):
            return cost


def _follow(grid: Grid, ways_m: Floats, pose: Pose, goal: Place) -> Place:
    """Where one gets by always stepping to the cheapest neighbour."""
    cell = int(grid.cells_at(pose.x_m, pose.y_m))
    at: NDArray[np.int64] = np.array([1 + cell // grid.count, 1 + cell % grid.count])
    for _ in range(round(_AHEAD_M / _CELL_M)):
        at = at + min(_MOVES, key=lambda move: ways_m[at[0] + move[0], at[1] + move[1]])
        if ways_m[at[0], at[1]] == 0.0:
            return goal
    index = (at[0] - 1) * grid.count + at[1] - 1
    return Place(float(grid.centres_m[0][index]), float(grid.centres_m[1][index]))
