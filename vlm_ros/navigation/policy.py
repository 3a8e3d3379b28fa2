"""The contract of every mode of driving."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from vlm_ros.core.motion import Pose, Scan, Velocity
from vlm_ros.core.percept import Percept
from vlm_ros.navigation.states import State


@dataclass(frozen=True)
class Senses:
    """All a policy may know at one step; times are on the clock of ``now_s``.

    ``pose`` is where the robot believes it is (``track.py``). ``percept`` is the newest one, the same
    object until the next arrives; how old its picture is, ``percept_age_s`` says, where it was taken,
    ``seen_from``, and how far the wheels have driven since, there and back, ``driven_m``. ``silence_s`` is how
    long ago any percept arrived, ``answer_every_s`` how long it takes from one to the next of late (``pace.py``).
    ``scan`` is ``None`` without a laser.
    """

    now_s: float
    pose: Pose = Pose(0.0, 0.0, 0.0)
    percept: Percept | None = None
    percept_age_s: float = float("inf")
    seen_from: Pose = Pose(0.0, 0.0, 0.0)
    silence_s: float = float("inf")
    scan: Scan | None = None
    driven_m: float = 0.0
    answer_every_s: float = 0.0


class Outcome(Enum):
    """How a search ended. ``LOST``: where the target is believed to be was not reached in time, or nobody can look.

    One that was believed to be seen, and was not there at a second look, is ``NOT_FOUND``.
    """

    FOUND = "found"
    LOST = "lost"
    NOT_FOUND = "not_found"


@dataclass(frozen=True)
class Wish:
    """What a policy wants now, the state it is in, and why, in words for a human.

    ``outcome`` is set once nothing more will follow.
    """

    velocity: Velocity
    state: State
    reason: str
    outcome: Outcome | None = None


class Policy(Protocol):
    """One way of driving. It is stepped at a fixed rate, between answers as well as at them."""

    def step(self, senses: Senses) -> Wish:
        """The wish for this moment."""
