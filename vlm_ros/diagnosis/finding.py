"""What a check found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Level(Enum):
    """How bad it is: ``WARNING`` works, but not as well as it could; ``BROKEN`` keeps the package from working."""

    OK = "ok"
    WARNING = "warning"
    BROKEN = "broken"


@dataclass(frozen=True)
class Finding:
    """One fact about this machine; ``advice`` is the line that mends it, empty where nothing needs mending."""

    name: str
    level: Level
    value: str
    advice: str = ""


def fine(name: str, value: str) -> Finding:
    """A fact that needs nothing."""
    return Finding(name, Level.OK, value)


def doubtful(name: str, value: str, advice: str) -> Finding:
    """A fact that costs speed, memory or a feature."""
    return Finding(name, Level.WARNING, value, advice)


def broken(name: str, value: str, advice: str) -> Finding:
    """A fact with which the package does not work."""
    return Finding(name, Level.BROKEN, value, advice)
