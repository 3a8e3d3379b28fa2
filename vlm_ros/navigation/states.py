"""What a mode can be doing, and what leads from one thing to the next: the state diagram is drawn from this table."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """What the robot is doing; the values travel in ``navigation_state``."""

    IDLE = "idle"
    LOOKING = "looking"
    MOVING_ON = "moving_on"
    ESCAPING = "escaping"
    APPROACHING = "approaching"
    CONFIRMING = "confirming"
    FOLLOWING = "following"
    WATCHING = "watching"
    FOUND = "found"
    LOST = "lost"
    NOT_FOUND = "not_found"


ENDS = (State.FOUND, State.LOST, State.NOT_FOUND)
"""Nothing follows these."""


@dataclass(frozen=True)
class Transition:
    """From one state to another, ``when``."""

    before: State
    after: State
    when: str


_SEEKING = (
    Transition(State.LOOKING, State.MOVING_ON, "another place promises more"),
    Transition(State.MOVING_ON, State.LOOKING, "there, or it takes too long"),
)
_ESCAPING = (
    Transition(State.LOOKING, State.ESCAPING, "stuck"),
    Transition(State.MOVING_ON, State.ESCAPING, "stuck"),
    Transition(State.ESCAPING, State.LOOKING, "free again"),
    Transition(State.ESCAPING, State.MOVING_ON, "free again"),
)
SEARCH = (
    *_SEEKING,
    *_ESCAPING,
    Transition(State.LOOKING, State.LOST, "the model cannot be asked about it, or no answer could be used"),
    Transition(State.MOVING_ON, State.LOST, "the model cannot be asked about it"),
    Transition(State.APPROACHING, State.ESCAPING, "stuck"),
    Transition(State.ESCAPING, State.APPROACHING, "free again"),
    Transition(State.ESCAPING, State.CONFIRMING, "it seems near"),
    Transition(State.ESCAPING, State.NOT_FOUND, "no time left"),
    Transition(State.ESCAPING, State.LOST, "no time left to get there"),
    Transition(State.LOOKING, State.APPROACHING, "sure of its direction"),
    Transition(State.MOVING_ON, State.APPROACHING, "sure of its direction"),
    Transition(State.LOOKING, State.CONFIRMING, "it seems near"),
    Transition(State.MOVING_ON, State.CONFIRMING, "it seems near"),
    Transition(State.APPROACHING, State.LOOKING, "sure no more"),
    Transition(State.APPROACHING, State.MOVING_ON, "sure no more"),
    Transition(State.APPROACHING, State.CONFIRMING, "it seems near"),
    Transition(State.CONFIRMING, State.APPROACHING, "there, but too far"),
    Transition(State.CONFIRMING, State.LOOKING, "not there"),
    Transition(State.CONFIRMING, State.MOVING_ON, "not there"),
    Transition(State.CONFIRMING, State.FOUND, "near in several pictures"),
    Transition(State.LOOKING, State.NOT_FOUND, "all floor looked at, or no time left"),
    Transition(State.MOVING_ON, State.NOT_FOUND, "no time left"),
    Transition(State.APPROACHING, State.LOST, "no time left to get there"),
    Transition(State.CONFIRMING, State.LOST, "no time left to make sure"),
)
FOLLOW = (
    *_SEEKING,
    Transition(State.LOOKING, State.FOLLOWING, "sure of its direction"),
    Transition(State.MOVING_ON, State.FOLLOWING, "sure of its direction"),
    Transition(State.LOOKING, State.WATCHING, "there, and close"),
    Transition(State.MOVING_ON, State.WATCHING, "there, and close"),
    Transition(State.FOLLOWING, State.WATCHING, "close enough"),
    Transition(State.WATCHING, State.FOLLOWING, "too far"),
    Transition(State.FOLLOWING, State.LOOKING, "sure no more"),
    Transition(State.FOLLOWING, State.MOVING_ON, "sure no more"),
    Transition(State.WATCHING, State.LOOKING, "sure no more"),
    Transition(State.WATCHING, State.MOVING_ON, "sure no more"),
)
EXPLORE = (*_SEEKING, *_ESCAPING)
TRANSITIONS = {"search": SEARCH, "follow": FOLLOW, "explore": EXPLORE}
"""By mode. Every mode begins with looking."""
