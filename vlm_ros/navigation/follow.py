"""Staying in front of the target."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import STANDSTILL
from vlm_ros.navigation.policy import Senses, Wish


@dataclass(frozen=True)
class FollowConfig:
    """How the robot follows."""

    follow_distance_m: float = setting(1.2, "distance kept from the target", unit="m", low=0.3, high=5.0, live=True)


class FollowPolicy:
    """Keeps the target centred, at a distance."""

    def __init__(self, config: FollowConfig) -> None:
        self._config = config

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        return Wish(STANDSTILL, "following", "looking around")
