"""Looking for the target, driving to it, and saying so."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import STANDSTILL
from vlm_ros.navigation.policy import Senses, Wish


@dataclass(frozen=True)
class SearchConfig:
    """How the robot searches."""

    search_timeout_s: float = setting(
        120.0, "time after which a search is given up", unit="s", low=1.0, high=3600.0, live=True
    )


class SearchPolicy:
    """Finds the target once."""

    def __init__(self, config: SearchConfig, timeout_s: float | None = None) -> None:
        self._config = config
        self._timeout_s = config.search_timeout_s if timeout_s is None else timeout_s

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
        return Wish(STANDSTILL, "searching", "looking around")
