"""Where in a picture a target is, from how well parts of the picture go with its name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import Frame, RgbImage
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unseen
from vlm_ros.models.model import Stop, never

_LARGE = 3
_SMALL_COLUMNS, _SMALL_ROWS = 5, 3
"""Overlapping squares: three as high as the picture, and rows of half that size."""

NEAR_SHARE = 1 / 3
"""Share of the small parts that show the target, from which on it is near: it fills the picture."""


@runtime_checkable
class Finder(Protocol):
    """An observation that finds a target by itself, without a question in words."""

    def find(self, target: str, *, deadline_s: float, stop: Stop = never) -> Percept:
        """Where the frame shows ``target``; nothing is said of the path.

        Unreadable after ``deadline_s`` seconds, or when ``stop()`` says so. ``BadQuestion`` for a target that nobody
        can ask about.
        """


@dataclass(frozen=True)
class Region:
    """A square part of a picture, in pixels; ``small`` ones tell how much of the picture shows something."""

    left_px: int
    top_px: int
    side_px: int
    small: bool

    @property
    def middle_px(self) -> float:
        """Its middle, from the picture's left edge."""
        return self.left_px + self.side_px / 2

    def overlaps(self, other: Region) -> bool:
        """Whether the two stand side by side or over each other, by their columns."""
        return abs(self.middle_px - other.middle_px) < (self.side_px + other.side_px) / 2


def regions(height_px: int, width_px: int) -> tuple[Region, ...]:
    """The parts of a picture to look at: small targets fill a small part, where they are easier to tell."""
    side = min(height_px, width_px)
    half = max(1, side // 2)
    large = _squares(height_px, width_px, side, columns=_LARGE if width_px > side else 1, rows=1, small=False)
    return (*large, *_squares(height_px, width_px, half, columns=_SMALL_COLUMNS, rows=_SMALL_ROWS, small=True))


def crop(rgb: RgbImage, region: Region) -> RgbImage:
    """The pixels of ``region``, without a copy."""
    rows = slice(region.top_px, region.top_px + region.side_px)
    return rgb[rows, region.left_px : region.left_px + region.side_px]


def percept_from_scores(
    target: str, looked: Sequence[Region], scores: NDArray[np.floating], frame: Frame, *, threshold: float
) -> Percept:
    """What ``scores`` say, the probability of the target for each of ``looked``.

    It is seen where one passes ``threshold``. Its bearing is the middle of those that do around the best, weighted by
    how far they pass. The path stays unknown: how well things go with words does not tell what stands in the way.
    """
    best = int(scores.argmax())
    if not scores[best] >= threshold:
        return unseen(target, frame.stamp_ns, confidence=1.0 - float(scores[best]))
    passing = [index for index, region in enumerate(looked) if scores[index] >= threshold]
    around = [index for index in passing if looked[index].overlaps(looked[best])]
    weights = [float(scores[index]) - threshold + 1e-6 for index in around]
    middle_px = float(np.average([looked[index].middle_px for index in around], weights=weights))
    small = sum(region.small for region in looked)
    share = sum(looked[index].small for index in passing) / small
    range_ = Range.NEAR if share >= NEAR_SHARE else Range.FAR
    bearing = tuple(Bearing)[min(2, int(3 * middle_px / frame.rgb.shape[1]))]
    return Percept(target, True, bearing, range_, PathAhead.UNKNOWN, float(scores[best]), frame.stamp_ns)


def _squares(height: int, width: int, side: int, *, columns: int, rows: int, small: bool) -> list[Region]:
    """Squares spread evenly from edge to edge."""
    lefts = np.linspace(0, width - side, columns).astype(int).tolist()
    tops = np.linspace(0, height - side, rows).astype(int).tolist()
    return [Region(left, top, side, small) for top in tops for left in lefts]
