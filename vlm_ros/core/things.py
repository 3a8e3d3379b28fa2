"""What a model named in one frame, and the words in which it says so."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vlm_ros.core.percept import Bearing, Range

MOST_THINGS = 6
"""A list names at most so many things, the largest first."""

NOTHING = "nothing."
"""What a list says that names no thing."""

PLACE_WORDS = {Bearing.LEFT: "on the left", Bearing.CENTER: "in the center", Bearing.RIGHT: "on the right"}
"""How each bearing is said."""

NAME_PATTERN = "[a-z]{1,16}([ -][a-z]{1,16}){0,3}"
"""What a thing may be called: one to four plain words. Every such name is a target that can be searched for."""

PLACE_M = 0.5
"""A thing is where it is said to be when it is within this distance."""

_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True)
class Thing:
    """One thing in one frame; ``ValueError`` for a name that is not one to four words of small letters."""

    name: str
    bearing: Bearing
    range: Range

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a thing is called {self.name[:80]!r}: expected one to four words of small letters")

    @property
    def sentence(self) -> str:
        """For example ``an orange box in the center, near.``"""
        article = "an" if self.name[0] in "aeiou" else "a"
        return f"{article} {self.name} {PLACE_WORDS[self.bearing]}, {self.range.value}."


@dataclass(frozen=True)
class ThingsSeen:
    """All things that were named in one frame, each name once; what is not among them was not seen.

    ``confidence`` in 0..1 is the model's probability of the whole list, ``stamp_ns`` the picture's stamp.
    ``ValueError`` for more than ``MOST_THINGS``, or for a name that is there twice.
    """

    things: tuple[Thing, ...]
    confidence: float
    stamp_ns: int

    def __post_init__(self) -> None:
        names = [thing.name for thing in self.things]
        if len(names) > MOST_THINGS or len(set(names)) < len(names):
            raise ValueError(f"{len(names)} things are named: expected at most {MOST_THINGS}, each name once")

    @property
    def stamp_s(self) -> float:
        """The picture's stamp in seconds."""
        return self.stamp_ns * 1e-9


@dataclass(frozen=True)
class ThingPlaced:
    """A thing and its place on the floor.

    ``certainty`` in 0..1 is the probability that there is such a thing within ``PLACE_M`` of the place.
    """

    name: str
    x_m: float
    y_m: float
    certainty: float
