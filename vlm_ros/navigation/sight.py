"""What a camera sees of the floor from a place, past what stands or may stand in the way."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.eyes import Eyes
from vlm_ros.navigation.grid import Floats, Grid
from vlm_ros.navigation.ground import Ground

FLOOR_SEEN_TO_M = 3.1
"""Floor further away than this has not been looked at: small things on it do not show."""
SECTORS = 36
_SECTOR_RAD = 2 * math.pi / SECTORS
_RING_M = 0.3
_RINGS_M = np.arange(0.5, 12.0) * _RING_M
_FINE_RAD, _FINE_M, _FURTHEST_M = math.radians(2.5), 0.1, 6.0


def unhidden(ground: Ground, grid: Grid, eye: Pose, half_fov_rad: float) -> tuple[NDArray[np.int64], Floats]:
    """The cells of ``grid`` in the picture of a camera at ``eye``, and the probability that nothing hides each."""
    away_m, angle_rad = grid.polar_from(eye)
    cells = np.flatnonzero((np.abs(angle_rad) <= half_fov_rad) & (away_m < _FURTHEST_M))
    rays_rad = np.arange(-half_fov_rad, half_fov_rad + _FINE_RAD, _FINE_RAD)
    along_m = np.arange(0.0, _FURTHEST_M, _FINE_M)
    x_m = eye.x_m + np.cos(eye.yaw_rad + rays_rad)[:, np.newaxis] * along_m
    y_m = eye.y_m + np.sin(eye.yaw_rad + rays_rad)[:, np.newaxis] * along_m
    open_way = _open_before(ground, x_m, y_m, _FINE_M)
    ray = np.rint((angle_rad[cells] + half_fov_rad) / _FINE_RAD).astype(np.int64)
    return cells, np.asarray(open_way[ray, (away_m[cells] / _FINE_M).astype(np.int64)])


def view_from(ground: Ground, grid: Grid, eyes: Eyes, seen_from: Pose) -> Floats:
    """The probability for each cell of ``grid`` that nothing hides it from a robot there; 0 outside the picture."""
    cells, share = unhidden(ground, grid, eyes.at(seen_from), eyes.half_fov_rad)
    view = np.zeros(grid.count**2)
    view[cells] = share
    return view


def views(ground: Ground, grid: Grid, x_m: Floats, y_m: Floats, recall: Floats, worths: Floats) -> Floats:
    """What looks all around from each place would show: sums of each of ``worths`` (given per cell of ``grid``).

    ``recall`` is how well things are seen in each ring (``rings_m``). Shape (worths, places, ``SECTORS``);
    the first sector is about the direction -pi, in the frame of the track.
    """
    angles_rad = np.arange(SECTORS)[:, np.newaxis] * _SECTOR_RAD - math.pi
    ring_x_m = x_m[:, np.newaxis, np.newaxis] + np.cos(angles_rad) * _RINGS_M
    ring_y_m = y_m[:, np.newaxis, np.newaxis] + np.sin(angles_rad) * _RINGS_M
    cells_each = _SECTOR_RAD * _RING_M * _RINGS_M / grid.cell_m**2
    seen = _open_before(ground, ring_x_m, ring_y_m, _RING_M) * recall * cells_each
    cells = grid.cells_at(ring_x_m, ring_y_m)
    padded = np.concatenate([worths, np.zeros((len(worths), 1))], axis=1)
    return np.asarray((padded[:, cells] * seen).sum(axis=-1))


def rings_m() -> Floats:
    """The distances at which ``views`` samples the floor."""
    return _RINGS_M


def _open_before(ground: Ground, x_m: Floats, y_m: Floats, step_m: float) -> Floats:
    """Probability that nothing hides each point from the first one of its row (along the last axis)."""
    through = np.log1p(-ground.hides(x_m, y_m, step_m))
    return np.asarray(np.exp(np.cumsum(through, axis=-1) - through))
