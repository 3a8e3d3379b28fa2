"""Where something may stand in the way: one probability per cell of floor, from answers about the path and from scans.

An answer speaks of a whole corridor: "blocked" means that at least one of its cells is taken. Cells
that other answers have found free are excused by Bayes' rule, so the obstacle sharpens as the robot turns.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose, Scan
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.eyes import Eyes
from vlm_ros.navigation.grid import Floats, Grid
from vlm_ros.navigation.place import Place

_HALF_M = 10.0
_CELL_M = 0.1
_PRIOR = 0.003
_RIGHT, _WRONG = 0.8, 0.08
"""How often a path is called blocked that is, and one that is not."""
SEEN_FROM_M, SEEN_TO_M = 0.2, 0.8
"""Where the corridor begins and ends that an answer about the path speaks of, from the turning axis on."""
HALF_WIDTH_M = 0.25
"""Half the width of that corridor."""
_BORDER_RAD = math.radians(5.0)
"""So far into the picture from its side, a thing is cut by the border and easily missed."""
_UNDER_M = 0.2
"""The robot's own floor ends so far from its turning axis."""
_NEXT_TO_M, _NEXT_HALF_WIDTH_M = 0.4, 0.18
"""The floor that the robot comes over next: up to so far ahead, and so far to each side."""
_BESIDE_M = 0.05
"""Where the corridor begins that the robot would drive in: what stands beside it is in the way of a turn."""
_BODY_CELLS = 2
"""Cells to each side of its middle that the robot covers."""
_FORGETTING_PER_S = 0.005
_HIDING_PER_M = 0.15
"""How likely a metre of floor that nobody has asked about hides what is behind it."""
_DISTRUSTED_M, _DISTRUST = 0.25, 0.1
"""A place that cannot be reached, and what that makes each of its cells."""
_WIDE = 3.0
"""Cells that an obstacle takes up across the view, which the answers cannot tell: one would do to block the path."""


class Ground:
    """Starts with next to nothing in the way anywhere."""

    def __init__(self, pose: Pose, eyes: Eyes) -> None:
        self._eyes = eyes
        self._grid = Grid(pose.x_m, pose.y_m, _HALF_M, _CELL_M)
        self._taken: Floats = np.full(self._grid.count**2 + 1, _PRIOR)
        """One more cell than the grid has: the last stands for everything outside (index -1)."""
        self._known = np.zeros(self._grid.count**2 + 1, dtype=np.bool_)
        self._shown = self._known.copy()
        """Well enough for the robot's own side to pass, where ``_known`` is enough to plan a way."""

    def learn(self, path: PathAhead, seen_from: Pose, weight: float) -> None:
        """Take an answer about the way straight ahead of ``seen_from``; ``weight`` as for the target.

        It speaks of what is in the picture: beside the front of the robot there is floor that is not.
        """
        if path is PathAhead.UNKNOWN:
            return
        along_m, aside_m = _corridor_points(SEEN_FROM_M, SEEN_TO_M, HALF_WIDTH_M)
        in_view = np.abs(np.arctan2(aside_m, along_m - self._eyes.forward_m)) <= self._eyes.half_fov_rad
        cells = np.unique(self._cells_at(seen_from, np.zeros(1), along_m[in_view], aside_m[in_view]))
        before = self._taken[cells]
        blocked = 1.0 - float(np.prod(1.0 - before))
        says_so, says_wrongly = (_RIGHT, _WRONG) if path is PathAhead.BLOCKED else (1.0 - _RIGHT, 1.0 - _WRONG)
        after = before * says_so / (says_so * blocked + says_wrongly * (1.0 - blocked))
        self._taken[cells] = np.clip(before + weight * (after - before), 1e-4, 0.95)
        self._known[cells] = True
        self._shown[:-1] |= self._shown_from(seen_from)

    def distrust(self, place: Place) -> None:
        """Note that the robot got no further at ``place``, whatever the answers say."""
        x_m, y_m = self._grid.centres_m
        around = np.flatnonzero(np.hypot(x_m - place.x_m, y_m - place.y_m) < _DISTRUSTED_M)
        self._taken[around] = np.maximum(self._taken[around], _DISTRUST)

    def learn_scan(self, scan: Scan, pose: Pose) -> None:
        """Take a laser scan: free up to each hit, taken at it."""
        angles = pose.yaw_rad + scan.angle_min_rad + scan.angle_step_rad * np.arange(len(scan.ranges_m))
        ranges = np.asarray(scan.ranges_m, dtype=np.float64)
        hit = np.isfinite(ranges) & (ranges >= scan.range_min_m) & (ranges <= scan.range_max_m)
        along = np.arange(_CELL_M, 3.0, _CELL_M)[:, np.newaxis]
        free = np.broadcast_to(hit, (len(along), len(hit))) & (along < np.where(hit, ranges, 0.0) - _CELL_M)
        x, y = pose.x_m + along * np.cos(angles), pose.y_m + along * np.sin(angles)
        cells = self._grid.cells_at(x[free], y[free])
        self._taken[cells], self._known[cells], self._shown[cells] = 1e-4, True, True
        x, y = pose.x_m + ranges[hit] * np.cos(angles[hit]), pose.y_m + ranges[hit] * np.sin(angles[hit])
        cells = self._grid.cells_at(x, y)
        self._taken[cells], self._known[cells], self._shown[cells] = 0.95, True, True

    def forget(self, seconds: float) -> None:
        """Let every cell return towards the start, slowly: things move and answers err."""
        self._taken += min(1.0, _FORGETTING_PER_S * seconds) * (_PRIOR - self._taken)

    def blocked(self, pose: Pose, angles_rad: Floats, length_m: float, half_width_m: float = HALF_WIDTH_M) -> Floats:
        """Probability that the robot at ``pose`` is stopped within ``length_m``, for each direction ``angles_rad``."""
        cells = self._corridor(pose, angles_rad, _BESIDE_M, max(_BESIDE_M + _CELL_M, length_m), half_width_m)
        return np.asarray(1.0 - np.exp(np.log1p(-self._taken[cells]).sum(axis=1)))

    def hides(self, x_m: Floats, y_m: Floats, step_m: float) -> Floats:
        """Probability that something hides the view across ``step_m`` of floor at each point."""
        cells = self._grid.cells_at(x_m, y_m)
        wide = np.minimum(_WIDE * self._taken, 0.95)
        taken = np.where(self._known, wide, np.maximum(wide, _HIDING_PER_M * _CELL_M))
        return np.asarray(1.0 - (1.0 - taken[cells]) ** (step_m / _CELL_M))

    def unknown(self, x_m: Floats, y_m: Floats) -> NDArray[np.bool_]:
        """Whether no answer and no scan has spoken of the floor at each point."""
        return np.asarray(~self._known[self._grid.cells_at(x_m, y_m)])

    def unseen_rad(self, pose: Pose) -> float | None:
        """Direction (left positive) of floor that the robot comes over next without having seen it; ``None``: all seen.

        A picture does not show what stands beside the front of the robot, so who turns before a thing and drives on
        may never have had it in the corridor of a picture.
        """
        along_m, aside_m = _corridor_points(_UNDER_M, _NEXT_TO_M, _NEXT_HALF_WIDTH_M)
        unseen = ~self._shown[self._cells_at(pose, np.zeros(1), along_m, aside_m)[0]]
        if not unseen.any():
            return None
        angles_rad = np.arctan2(aside_m, along_m)[unseen]
        left = angles_rad >= 0.0
        return float(angles_rad[left if 2 * left.sum() >= len(left) else ~left].mean())

    def crowded(self, x_m: Floats, y_m: Floats) -> Floats:
        """Probability that a robot standing at each point would touch something."""
        count, side = self._grid.count, 2 * _BODY_CELLS + 1
        padded = np.zeros((count + side, count + side))
        padded[_BODY_CELLS + 1 : -_BODY_CELLS, _BODY_CELLS + 1 : -_BODY_CELLS] = self._taken[:-1].reshape(count, count)
        sums = padded.cumsum(axis=0).cumsum(axis=1)
        around = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        cells = self._grid.cells_at(x_m, y_m)
        return np.asarray(1.0 - np.exp(-np.append(around.ravel(), 0.0)[cells]))

    def _shown_from(self, seen_from: Pose) -> NDArray[np.bool_]:
        """The cells well inside the picture that an answer about the path speaks of, and those under the robot."""
        distance_m, angle_rad = self._grid.polar_from(seen_from, self._eyes.forward_m)
        along_m, aside_m = self._eyes.forward_m + distance_m * np.cos(angle_rad), distance_m * np.sin(angle_rad)
        shown = np.abs(angle_rad) <= self._eyes.half_fov_rad - _BORDER_RAD
        corridor = (along_m <= SEEN_TO_M) & (np.abs(aside_m) <= HALF_WIDTH_M)
        return np.asarray(shown & corridor | (np.hypot(along_m, aside_m) < _UNDER_M))

    def _corridor(
        self, pose: Pose, angles_rad: Floats, from_m: float, to_m: float, half_width_m: float
    ) -> NDArray[np.int64]:
        """Cells of the corridor in each direction, shape (directions, points)."""
        return self._cells_at(pose, angles_rad, *_corridor_points(from_m, to_m, half_width_m))

    def _cells_at(self, pose: Pose, angles_rad: Floats, along_m: Floats, aside_m: Floats) -> NDArray[np.int64]:
        """Cells of points along and beside each direction, shape (directions, points)."""
        heading = pose.yaw_rad + angles_rad[:, np.newaxis]
        cos, sin = np.cos(heading), np.sin(heading)
        x_m = pose.x_m + cos * along_m - sin * aside_m
        y_m = pose.y_m + sin * along_m + cos * aside_m
        return self._grid.cells_at(x_m, y_m)


def _corridor_points(from_m: float, to_m: float, half_width_m: float) -> tuple[Floats, Floats]:
    """Points of a corridor, a cell apart: how far along each is, and how far aside (left positive)."""
    across = np.linspace(-half_width_m, half_width_m, round(2 * half_width_m / _CELL_M) + 1)
    along, aside = np.meshgrid(np.arange(from_m, to_m + 1e-9, _CELL_M), across)
    return along.ravel(), aside.ravel()
