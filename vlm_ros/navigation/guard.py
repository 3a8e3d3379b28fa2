"""How fast a laser scan allows the robot to drive on."""

from __future__ import annotations

import math

import numpy as np

from vlm_ros.core.motion import Scan


def free_path_m(scan: Scan, radius_m: float, margin_m: float = 0.0, *, backwards: bool = False) -> float:
    """How far a round body of ``radius_m`` gets along its axis until something is within ``margin_m`` of it, in metres.

    The middle of the body is at the laser. Infinite where nothing is in the way; 0 where no ray looks
    in that direction. What is within the margin already counts only where the body itself would touch it,
    and then at once: a robot that stands close beside a thing may drive past it, else it would stand there for ever.
    """
    angles = scan.angle_min_rad + scan.angle_step_rad * np.arange(len(scan.ranges_m))
    angles = np.remainder(angles + (math.pi if backwards else 0.0) + math.pi, math.tau) - math.pi
    if not np.any(np.abs(angles) < abs(scan.angle_step_rad) * 1.5):
        return 0.0
    ranges = np.asarray(scan.ranges_m, dtype=np.float64)
    hit = np.isfinite(ranges) & (ranges >= scan.range_min_m) & (ranges <= scan.range_max_m)
    along, across = ranges[hit] * np.cos(angles[hit]), ranges[hit] * np.sin(angles[hit])
    close = ranges[hit] <= radius_m + margin_m
    reach = np.where(close, radius_m, radius_m + margin_m)
    ahead = (along > 0.0) & (np.abs(across) < reach)
    touches = along - np.sqrt(np.maximum(0.0, reach**2 - across**2))
    free = np.where(close, 0.0, touches)[ahead]
    return max(0.0, float(free.min())) if free.size else math.inf


def braking_speed_mps(distance_m: float, deceleration_mps2: float, reaction_s: float) -> float:
    """The speed from which a robot that reacts after ``reaction_s`` stops within ``distance_m``.

    Solves ``v * reaction + v^2 / (2 * deceleration) = distance``.
    """
    if math.isinf(distance_m):
        return math.inf
    lag_mps = deceleration_mps2 * reaction_s
    return math.sqrt(lag_mps**2 + 2.0 * deceleration_mps2 * max(0.0, distance_m)) - lag_mps
