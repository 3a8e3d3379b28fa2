"""How fast a laser scan allows the robot to drive on."""

from __future__ import annotations

import math

import numpy as np

from vlm_ros.core.motion import Scan


def free_path_m(scan: Scan, half_width_m: float, *, backwards: bool = False) -> float:
    """How far a body ``half_width_m`` to each side gets along its axis before it touches, in metres.

    The body is taken as round with its middle at the laser. Infinite where nothing is in the way;
    0 where no ray looks in that direction.
    """
    angles = scan.angle_min_rad + scan.angle_step_rad * np.arange(len(scan.ranges_m))
    angles = np.remainder(angles + (math.pi if backwards else 0.0) + math.pi, math.tau) - math.pi
    if not np.any(np.abs(angles) < abs(scan.angle_step_rad) * 1.5):
        return 0.0
    ranges = np.asarray(scan.ranges_m, dtype=np.float64)
    hit = np.isfinite(ranges) & (ranges >= scan.range_min_m) & (ranges <= scan.range_max_m)
    along, across = ranges[hit] * np.cos(angles[hit]), ranges[hit] * np.sin(angles[hit])
    ahead = (along > 0.0) & (np.abs(across) < half_width_m)
    touches = along[ahead] - np.sqrt(half_width_m**2 - across[ahead] ** 2)
    return max(0.0, float(touches.min())) if touches.size else math.inf


def braking_speed_mps(distance_m: float, deceleration_mps2: float, reaction_s: float) -> float:
    """The speed from which a robot that reacts after ``reaction_s`` stops within ``distance_m``.

    Solves ``v * reaction + v^2 / (2 * deceleration) = distance``.
    """
    if math.isinf(distance_m):
        return math.inf
    lag_mps = deceleration_mps2 * reaction_s
    return math.sqrt(lag_mps**2 + 2.0 * deceleration_mps2 * max(0.0, distance_m)) - lag_mps
