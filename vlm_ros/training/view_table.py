"""Rendered views as arrays: pictures at the model's size, what stands in them, and what each patch shows."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vlm_ros.core.percept import Bearing, PathAhead, Range
from vlm_ros.sim.truth import ObjectTruth
from vlm_ros.sim.views import View
from vlm_ros.training.architecture import IMAGE_PX, PATCH_PX
from vlm_ros.training.artefacts import spoilt
from vlm_ros.training.phrases import COLORS, SHAPES

MOST_OBJECTS = 8
VISIBLE, FAINT = 1, 2
"""An object of too few pixels to count as visible is faint: nobody asks about it."""

_BEARINGS, _RANGES = list(Bearing), list(Range)
_SIDE = IMAGE_PX // PATCH_PX
_PATCH_SHARE = 0.03
"""Share of a patch's pixels from which on its object names the patch."""


@dataclass(frozen=True)
class ViewTable:
    """One row per view.

    ``images`` (N, IMAGE_PX, IMAGE_PX, 3) uint8; ``objects`` (N, 8, 5) int8: state (0 none), colour,
    shape, bearing, range, largest area first; ``blocked`` (N,) int8; ``patches`` (N, 3, P) uint8:
    colour, shape and range of the object in each patch, counted from 1, 0 where there is none.
    """

    images: NDArray[np.uint8]
    objects: NDArray[np.int8]
    blocked: NDArray[np.int8]
    patches: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def save(self, path: Path) -> None:
        """Write the arrays, uncompressed."""
        np.savez(path, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, path: Path) -> ViewTable:
        """The arrays that ``save`` wrote."""
        with np.load(path) as arrays:
            return cls(**{field.name: arrays[field.name] for field in fields(cls)})

    @classmethod
    def joined(cls, tables: list[ViewTable]) -> ViewTable:
        """All rows of ``tables``, in order."""
        return cls(*(np.concatenate([getattr(table, field.name) for table in tables]) for field in fields(cls)))

    @classmethod
    def from_views(cls, views: list[View], chance: np.random.Generator | None = None) -> ViewTable:
        """The rows of ``views``, in order; ``chance`` spoils their pictures as cameras do (``artefacts.py``)."""
        rows = [_row(view, view.rgb if chance is None else spoilt(chance, view.rgb)) for view in views]
        return cls(*(np.stack(column) for column in zip(*rows, strict=True)))


def squeezed(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture at the model's size, resized as the model's preprocessor does it."""
    return np.asarray(Image.fromarray(rgb).resize((IMAGE_PX, IMAGE_PX), Image.Resampling.BICUBIC))


def _row(
    view: View, rgb: NDArray[np.uint8]
) -> tuple[NDArray[np.uint8], NDArray[np.int8], NDArray[np.int8], NDArray[np.uint8]]:
    objects = np.zeros((MOST_OBJECTS, 5), np.int8)
    seen = sorted((one for one in view.truth.objects if one.pixels), key=lambda one: -one.pixels)
    for row, one in zip(objects, seen, strict=False):
        row[:] = (VISIBLE if one.visible else FAINT, *_codes(one))
    blocked = np.int8(view.truth.path is PathAhead.BLOCKED)
    return squeezed(rgb), objects, np.asarray(blocked), _patches(view)


def _codes(one: ObjectTruth) -> tuple[int, int, int, int]:
    bearing = _BEARINGS.index(one.bearing) if one.bearing else 0
    range_ = _RANGES.index(one.range) if one.range else 0
    return COLORS.index(one.color), SHAPES.index(one.shape), bearing, range_


def _patches(view: View) -> NDArray[np.uint8]:
    """What the object with the most pixels in each patch is, where it fills enough of it."""
    count = len(view.truth.objects)
    height, width = view.objects.shape
    rows = np.arange(height) * _SIDE // height
    columns = np.arange(width) * _SIDE // width
    patch = rows[:, None] * _SIDE + columns
    seen = view.objects >= 0
    cells = np.bincount(patch[seen] * count + view.objects[seen], minlength=_SIDE**2 * count)
    cells = cells.reshape(_SIDE**2, count)
    winner = cells.argmax(axis=1)
    filled = cells.max(axis=1) >= _PATCH_SHARE * height * width / _SIDE**2
    codes = np.array([_codes(one) for one in view.truth.objects])[:, [0, 1, 3]] + 1
    return (codes[winner] * filled[:, None]).T.astype(np.uint8)
