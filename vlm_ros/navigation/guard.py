"""How fast a laser scan allows the robot to drive on."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Scan

_CORRIDOR_M, _SEEN_SHARE = 1.0, 0.5
"""A laser that sees the way has measured straight ahead, or in more than this share of it as far ahead as that."""


def free_path_m(scan: Scan, radius_m: float, margin_m: float = 0.0, *, backwards: bool = False) -> float:
    """How far a round body of ``radius_m`` gets along its axis until something is within ``margin_m`` of it, in metres.

    The middle of the body is at the laser. Infinite where nothing is in the way; 0 where the laser cannot tell
    (``blindness``) or sees anything that way too close to measure. What is within the margin already counts only where
    the body itself would touch it, and then at once: a robot that stands close beside a thing may drive past it, else
    it would stand there for ever.
    """
    if blindness(scan, radius_m + margin_m, backwards=backwards):
        return 0.0
    angles, ranges = _that_way(scan, backwards)
    if np.any((ranges == -math.inf) | ((ranges > 0.0) & (ranges < scan.range_min_m))):
        return 0.0
    hit = np.isfinite(ranges) & (ranges > 0.0) & (ranges <= scan.range_max_m)
    along, across = ranges[hit] * np.cos(angles[hit]), ranges[hit] * np.sin(angles[hit])
    close = ranges[hit] <= radius_m + margin_m
    reach = np.where(close, radius_m, radius_m + margin_m)
    ahead = np.abs(across) < reach
    touches = along - np.sqrt(np.maximum(0.0, reach**2 - across**2))
    free = np.where(close, 0.0, touches)[ahead]
    return max(0.0, float(free.min())) if free.size else math.inf


def blindness(scan: Scan, reach_m: float, *, backwards: bool = False) -> str:
    """Why ``scan`` says nothing of the way ahead, or back, of a body of radius ``reach_m``; empty where it does.

    Some rays that measured nothing leave the word to the others, and glass or black cloth to the camera. Rays beside
    the way, however many, do not see what is in it.
    """
    if not 0.0 <= scan.range_min_m < scan.range_max_m:
        return f"the laser claims to measure from {scan.range_min_m:g} m to {scan.range_max_m:g} m"
    angles, ranges = _that_way(scan, backwards)
    straight = np.abs(angles) < abs(scan.angle_step_rad) * 1.5
    if not np.any(straight):
        return "the laser does not look that way"
    measured = (ranges > 0.0) | (ranges == -math.inf)
    corridor = straight | (np.abs(angles) <= math.asin(reach_m / max(_CORRIDOR_M, 2.0 * reach_m)))
    if not np.any(measured[straight]) and measured[corridor].mean() <= _SEEN_SHARE:
        return "the laser measures nothing that way; its driver must report infinity where nothing is in range"
    return ""


def _that_way(scan: Scan, backwards: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angles from the way ahead, or back, and ranges of the rays less than a quarter turn from it."""
    angles = scan.angle_min_rad + scan.angle_step_rad * np.arange(len(scan.ranges_m))
    angles = np.remainder(angles + (math.pi if backwards else 0.0) + math.pi, math.tau) - math.pi
    that_way = np.abs(angles) < 0.5 * math.pi
    return angles[that_way], np.asarray(scan.ranges_m, dtype=np.float64)[that_way]


def braking_speed_mps(distance_m: float, deceleration_mps2: float, reaction_s: float) -> float:
    """The speed from which a robot that reacts after ``reaction_s`` stops within ``distance_m``.

    Solves ``v * reaction + v^2 / (2 * deceleration) = distance``.
    """
    if math.isinf(distance_m):
        return math.inf
    lag_mps = deceleration_mps2 * reaction_s
    return math.sqrt(lag_mps**2 + 2.0 * deceleration_mps2 * max(0.0, distance_m)) - lag_mps
