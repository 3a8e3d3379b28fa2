"""The floor right before the robot's two front corners: the camera at its front does not see it, the body sweeps it.

It has been in a picture where the robot came straight up to it, but not where the robot has just turned.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.memory import Memory

_ALONG_M = np.array([0.2, 0.25, 0.3])
_ASIDE_M = np.array([0.1, 0.15, 0.2])
"""Where they are, from the turning axis on, to each side."""
_MARGIN_RAD = math.radians(4.0)
_NEW = 0.5
"""A corner is looked at once from here, whatever comes of it."""


def glances_rad(memory: Memory, pose: Pose, now_s: float) -> Iterator[float]:
    """How far to turn from ``pose`` (left positive) to see each corner that no answer has spoken of yet."""
    for side in (1.0, -1.0):
        turn_rad = _glance_rad(memory, pose, side, now_s)
        if turn_rad is not None:
            yield turn_rad


def _glance_rad(memory: Memory, pose: Pose, side: float, now_s: float) -> float | None:
    along_m, aside_m = (points.ravel() for points in np.meshgrid(_ALONG_M, _ASIDE_M))
    away_m, angle_rad = np.hypot(along_m, aside_m), np.arctan2(aside_m, along_m)
    heading_rad = pose.yaw_rad + side * angle_rad
    floor_m = pose.x_m + away_m * np.cos(heading_rad), pose.y_m + away_m * np.sin(heading_rad)
    unseen = memory.ground.unknown(*floor_m)
    if not unseen.any():
        return None
    # Law of sines in the triangle of the axis, the camera before it, and a point at the edge of the picture.
    forward_m, edge_rad = memory.eyes.forward_m, memory.eyes.half_fov_rad - _MARGIN_RAD
    parallax_rad = np.arcsin(np.clip(forward_m * math.sin(edge_rad) / away_m[unseen], -1.0, 1.0))
    turn_rad = side * float(np.max(angle_rad[unseen] - edge_rad + parallax_rad))
    seen_from_here = memory.looks.novelty(pose, np.array([turn_rad]), now_s)[0] < _NEW
    return None if seen_from_here else turn_rad
