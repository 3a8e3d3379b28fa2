"""A target that moves: the path it walks, and how it gives way to the robot."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.sim.robot import ROBOT_RADIUS_M

if TYPE_CHECKING:
    from vlm_ros.sim.scene import Scene

GIVE_WAY_M = 0.25
"""Gap to the robot at which a walking target turns round."""


@dataclass(frozen=True)
class Walk:
    """Where the target is and when: straight lines between points, each reached at its time; equal ones are a pause."""

    times_s: tuple[float, ...]
    xs_m: tuple[float, ...]
    ys_m: tuple[float, ...]

    def place_m(self, walked_s: float) -> tuple[float, float]:
        """Where it is after ``walked_s``; it stands still at the end."""
        return (
            float(np.interp(walked_s, self.times_s, self.xs_m)),
            float(np.interp(walked_s, self.times_s, self.ys_m)),
        )


class Walker:
    """Leads the target of ``scene`` along its walk. Never walks into the robot: it turns round and goes back."""

    def __init__(self, scene: Scene, walk: Walk) -> None:
        self._scene, self._walk = scene, walk
        thing = scene.target_object
        assert thing is not None, "a walking target is in the scene"
        self._index, self._radius_m = scene.objects.index(thing), thing.radius_m
        self._walked_s, self._forwards = 0.0, True

    @property
    def scene(self) -> Scene:
        """The scene with the target where it is now."""
        x_m, y_m = self._walk.place_m(self._walked_s)
        objects = list(self._scene.objects)
        objects[self._index] = replace(objects[self._index], x_m=x_m, y_m=y_m)
        return replace(self._scene, objects=tuple(objects))

    def step(self, robot: Pose, dt_s: float) -> None:
        """Walk on for ``dt_s`` with the robot at ``robot``."""
        walked_s = max(0.0, self._walked_s + (dt_s if self._forwards else -dt_s))
        if self._barred(robot, walked_s):
            self._forwards = not self._forwards
            return
        self._walked_s = walked_s
        self._forwards = self._forwards or walked_s == 0.0

    def _barred(self, robot: Pose, walked_s: float) -> bool:
        """Whether the robot is close, and would be closer."""
        before_m, after_m = (
            math.hypot(x_m - robot.x_m, y_m - robot.y_m)
            for x_m, y_m in (self._walk.place_m(self._walked_s), self._walk.place_m(walked_s))
        )
        return after_m < before_m and after_m < ROBOT_RADIUS_M + self._radius_m + GIVE_WAY_M
