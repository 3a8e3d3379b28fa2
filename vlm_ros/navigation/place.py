"""A point on the floor."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.track import wrapped


@dataclass(frozen=True)
class Place:
    """A point in the frame of the robot's track."""

    x_m: float
    y_m: float

    @classmethod
    def seen_at(cls, pose: Pose, angle_rad: float, distance_m: float) -> Place:
        """The point ``distance_m`` away from ``pose`` in the direction ``angle_rad`` (left positive)."""
        heading_rad = pose.yaw_rad + angle_rad
        return cls(pose.x_m + distance_m * math.cos(heading_rad), pose.y_m + distance_m * math.sin(heading_rad))

    def angle_from(self, pose: Pose) -> float:
        """Its direction seen from ``pose``, -pi..pi, left positive."""
        return wrapped(math.atan2(self.y_m - pose.y_m, self.x_m - pose.x_m) - pose.yaw_rad)

    def distance_from(self, pose: Pose) -> float:
        """Its distance from ``pose``."""
        return math.hypot(self.x_m - pose.x_m, self.y_m - pose.y_m)
