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

Floats = NDArray[np.floating]

_LARGE = 3
_SMALL_COLUMNS, _SMALL_ROWS = 5, 3
"""Overlapping squares: three as high as the picture, and rows of half that size."""

_POINTS = (12, 16)
"""Rows and columns of points at which a picture is asked whether it shows the target."""

NEAR_SHARE = 0.25
"""Share of the points that show the target, from which on it is near: it fills the picture."""


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

    def holds(self, down_px: Floats, across_px: Floats) -> NDArray[np.bool_]:
        """Which points lie in it."""
        inside: NDArray[np.bool_] = (np.abs(across_px - self.middle_px) <= self.side_px / 2) & (
            np.abs(down_px - self.top_px - self.side_px / 2) <= self.side_px / 2
        )
        return inside


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
    target: str, looked: Sequence[Region], scores: Floats, frame: Frame, *, threshold: float
) -> Percept:
    """What ``scores`` say, the probability of the target for each of ``looked``.

    It is seen where one passes ``threshold``. The path stays unknown: how well things go with words does not tell
    what stands in the way.
    """
    best = int(scores.argmax())
    if not scores[best] >= threshold:
        return unseen(target, frame.stamp_ns, confidence=1.0 - float(scores[best]))
    height_px, width_px = frame.rgb.shape[:2]
    shown = _shown(looked, scores >= threshold, height_px, width_px)
    share = _middle_of_widest(shown) if shown.any() else looked[best].middle_px / width_px
    bearing = tuple(Bearing)[min(2, int(3 * share))]
    range_ = Range.NEAR if shown.mean() >= NEAR_SHARE else Range.FAR
    return Percept(target, True, bearing, range_, PathAhead.UNKNOWN, float(scores[best]), frame.stamp_ns)


def _shown(looked: Sequence[Region], passing: NDArray[np.bool_], height_px: int, width_px: int) -> NDArray[np.bool_]:
    """Which points show the target: those that no small part holds which does not."""
    rows, columns = _POINTS
    down_px = (np.arange(rows)[:, np.newaxis] + 0.5) / rows * height_px
    across_px = (np.arange(columns) + 0.5) / columns * width_px
    empty, held = np.zeros(_POINTS, bool), np.zeros(_POINTS, bool)
    for region, passes in zip(looked, passing, strict=True):
        if region.small:
            inside = region.holds(down_px, across_px)
            held |= inside
            empty |= inside & ~passes
    return held & ~empty


def _middle_of_widest(shown: NDArray[np.bool_]) -> float:
    """Where the middle is of the largest of the things that stand side by side, 0..1 from the left edge."""
    counts = shown.sum(axis=0)
    borders = np.flatnonzero(np.diff(np.concatenate([[0], counts > 0, [0]])))
    runs = [slice(start, end) for start, end in borders.reshape(-1, 2).tolist()]
    widest = max(runs, key=lambda run: int(counts[run].sum()))
    middles = (np.arange(len(counts)) + 0.5) / len(counts)
    return float(np.average(middles[widest], weights=counts[widest]))


def _squares(height: int, width: int, side: int, *, columns: int, rows: int, small: bool) -> list[Region]:
    """Squares spread evenly from edge to edge."""
    lefts = np.linspace(0, width - side, columns).astype(int).tolist()
    tops = np.linspace(0, height - side, rows).astype(int).tolist()
    return [Region(left, top, side, small) for top in tops for left in lefts]
