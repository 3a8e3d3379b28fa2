"""What the robot knows of its target from one frame."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Bearing(Enum):
    """The third of the picture in which the target's middle lies."""

    LEFT = "left"
    CENTER = "center"
    RIGHT = "right"


class Range(Enum):
    """``NEAR`` is close enough to stop; the model card says at how many metres."""

    NEAR = "near"
    FAR = "far"


class PathAhead(Enum):
    """Whether the robot could drive straight on."""

    CLEAR = "clear"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Percept:
    """The target in one frame.

    ``bearing`` and ``range`` are set exactly when ``visible`` is true. ``confidence`` in 0..1
    is the model's probability of its answer. ``readable`` is false when an answer was cut or
    could not be parsed: such a percept commands standing still. ``refusal`` says why the model
    cannot be asked about this target at all, and is empty where it can.
    ``stamp_ns`` is the picture's stamp.
    """

    target: str
    visible: bool
    bearing: Bearing | None
    range: Range | None
    path: PathAhead
    confidence: float
    stamp_ns: int
    readable: bool = True
    refusal: str = ""

    def __post_init__(self) -> None:
        if self.visible != (self.bearing is not None) or self.visible != (self.range is not None):
            raise ValueError(
                f"a percept has bearing and range exactly when its target is visible: "
                f"visible={self.visible}, bearing={self.bearing}, range={self.range}"
            )
        if self.readable and self.refusal:
            raise ValueError(f"a percept that can be read is none about a target that cannot be asked about: {self}")

    @property
    def stamp_s(self) -> float:
        """The picture's stamp in seconds."""
        return self.stamp_ns * 1e-9


def unseen(target: str, stamp_ns: int, path: PathAhead = PathAhead.UNKNOWN, confidence: float = 1.0) -> Percept:
    """A percept that says the target is not in the picture."""
    return Percept(target, False, None, None, path, confidence, stamp_ns)


def unreadable(target: str, stamp_ns: int, refusal: str = "") -> Percept:
    """A percept from an answer that nobody could read, or from none (``refusal``): the robot stands still on it."""
    return Percept(target, False, None, None, PathAhead.UNKNOWN, 0.0, stamp_ns, readable=False, refusal=refusal)
