"""One picture from a camera, with the moment and the place it was taken."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadImage

RgbImage = NDArray[np.uint8]
"""Pixels of shape (height, width, 3), red first, 0 to 255; may be a read-only view."""


def check_rgb(rgb: object) -> None:
    """``BadImage`` where ``rgb`` is not an ``RgbImage`` of at least one pixel."""
    shape, dtype = getattr(rgb, "shape", None), getattr(rgb, "dtype", type(rgb).__name__)
    if shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape or dtype != np.uint8:
        raise BadImage(
            f"a picture of shape {shape} and type {dtype} is none: give pixels of shape (height, width, 3), "
            "red first, as uint8"
        )


@dataclass(frozen=True)
class Frame:
    """A picture on its way through the package.

    ``stamp_ns`` is the camera's own time in nanoseconds, or that of reception where the camera's clock is none to go
    by, and ``frame_id`` the optical frame; both are carried unchanged to whatever is published about this picture.
    ``BadImage`` for what is no picture.
    """

    rgb: RgbImage
    stamp_ns: int = 0
    frame_id: str = ""

    def __post_init__(self) -> None:
        check_rgb(self.rgb)

    @property
    def stamp_s(self) -> float:
        """The stamp in seconds."""
        return self.stamp_ns * 1e-9

    def age_s(self, now_s: float) -> float:
        """Seconds between the camera's stamp and ``now_s`` on the same clock."""
        return now_s - self.stamp_s
