"""Standing still on purpose."""

from __future__ import annotations

from vlm_ros.core.motion import STANDSTILL
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.states import State


class IdlePolicy:
    """Wishes for nothing, whatever the senses say."""

    def step(self, senses: Senses) -> Wish:
        """Zero."""
        return Wish(STANDSTILL, State.IDLE, "no task")
