"""How well the camera and the model behind it see: the measurement model of all that follows."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Bearing, Percept, Range
from vlm_ros.navigation.grid import Floats
from vlm_ros.navigation.track import composed

SIGHT_M = 4.0
"""Distance at which half of what there is to see is seen."""
_FALSE_ALARM = 0.04
_BEST_RECALL = 0.75
_EDGE_RAD = math.radians(4.0)
_NEAR_EDGE_M = 0.12
_SLIP = 0.05


@dataclass(frozen=True)
class EyesConfig:
    """What must be known of the camera and the model to relate an answer to the floor."""

    camera_fov_deg: float = setting(70.0, "horizontal field of view of the camera", unit="deg", low=20.0, high=170.0)
    camera_forward_m: float = setting(
        0.14, "how far the camera sits in front of the turning axis", unit="m", low=-1.0, high=1.0
    )
    near_m: float = setting(0.8, "distance from the camera at which the model says near", unit="m", low=0.2, high=5.0)


class Eyes:
    """Probabilities of an answer, given where the target is."""

    def __init__(self, config: EyesConfig, sight_m: float = SIGHT_M) -> None:
        self._sight_m = sight_m
        self._near_m = config.near_m
        self.half_fov_rad = math.radians(config.camera_fov_deg) / 2
        self.third_rad = math.atan(math.tan(self.half_fov_rad) / 3)
        self.aside_rad = (self.half_fov_rad + self.third_rad) / 2
        """The middle of the left third of the picture."""
        self.forward_m = config.camera_forward_m

    def at(self, pose: Pose) -> Pose:
        """Where the camera is, and looks to, of a robot at ``pose``."""
        return composed(pose, Pose(self.forward_m, 0.0, 0.0))

    def recall(self, distance_m: Floats, angle_rad: Floats) -> Floats:
        """Probability that a target at that place is reported; other things may stand before it."""
        in_view = _step(self.half_fov_rad - np.abs(angle_rad), _EDGE_RAD / 2)
        return np.asarray(_BEST_RECALL * in_view / (1.0 + (distance_m / self._sight_m) ** 4))

    def likelihood(self, percept: Percept, distance_m: Floats, angle_rad: Floats, view: Floats | float = 1.0) -> Floats:
        """Probability of ``percept``, for a target at each of the places, each in ``view`` with that probability."""
        if not percept.visible:
            return np.asarray((1.0 - view * self.recall(distance_m, angle_rad)) * (1.0 - _FALSE_ALARM))
        # How well it is seen says nothing of how far it is: sizes differ, and pictures repeat themselves.
        seen = self.recall(np.zeros(1), angle_rad)
        place = self._bearing(percept.bearing, angle_rad) * self._range(percept.range, distance_m)
        return np.asarray(seen * place + (1.0 - seen) * _FALSE_ALARM / 6)

    def false_alarm(self, percept: Percept) -> float:
        """Probability of ``percept`` where there is no target at all."""
        return _FALSE_ALARM / 6 if percept.visible else 1.0 - _FALSE_ALARM

    def _bearing(self, bearing: Bearing | None, angle_rad: Floats) -> Floats:
        left = _step(angle_rad - self.third_rad, _EDGE_RAD)
        right = _step(-angle_rad - self.third_rad, _EDGE_RAD)
        share = {Bearing.LEFT: left, Bearing.RIGHT: right}.get(bearing, 1.0 - left - right)  # type: ignore[arg-type]
        return np.asarray(_SLIP / 3 + (1.0 - _SLIP) * share)

    def _range(self, distance: Range | None, distance_m: Floats) -> Floats:
        near = _step(self._near_m - distance_m, _NEAR_EDGE_M)
        return np.asarray(_SLIP / 2 + (1.0 - _SLIP) * (near if distance is Range.NEAR else 1.0 - near))


def _step(value: Floats, width: float) -> Floats:
    """From 0 to 1 as ``value`` passes 0, over about four times ``width`` (logistic function)."""
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(value / width, -30.0, 30.0))))
