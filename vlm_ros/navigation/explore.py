"""Driving where the path is clear, to see all of the room."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import STANDSTILL
from vlm_ros.navigation.policy import Senses, Wish


@dataclass(frozen=True)
class ExploreConfig:
    """How the robot explores."""

    explore_reach_m: float = setting(
        4.0, "how far around its start the robot explores", unit="m", low=1.0, high=20.0, live=True
    )


class ExplorePolicy:
    """Covers the room."""

    def __init__(self, config: ExploreConfig) -> None:
        self._config = config

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        return Wish(STANDSTILL, "exploring", "looking around")
