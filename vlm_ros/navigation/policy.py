"""The contract of every mode of driving."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from vlm_ros.core.motion import Odometry, Scan, Velocity
from vlm_ros.core.percept import Percept


@dataclass(frozen=True)
class Senses:
    """All a policy may know at one step. Any of it may be missing (``None``); times are on the clock of ``now_s``.

    ``percept`` is the newest one, the same object until the next arrives; how old it is, ``percept_age_s`` says.
    """

    now_s: float
    percept: Percept | None = None
    percept_age_s: float = float("inf")
    odometry: Odometry | None = None
    scan: Scan | None = None


@dataclass(frozen=True)
class Wish:
    """What a policy wants now, the state it is in, and why, in words for a human."""

    velocity: Velocity
    state: str
    reason: str
    done: bool = False


class Policy(Protocol):
    """One way of driving. It is stepped at a fixed rate, between answers as well as at them."""

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment; ``done`` once nothing more will follow."""
