"""Pictures made square by a border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlm_ros.core.frame import RgbImage


def on_square(rgb: RgbImage, color: Sequence[int]) -> RgbImage:
    """``rgb`` in the middle of a square of ``color``, as wide as its longer edge; odd borders are wider at the end."""
    height, width = rgb.shape[:2]
    if height == width:
        return rgb
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    square = np.empty((side, side, 3), np.uint8)
    square[:] = color
    square[top : top + height, left : left + width] = rgb
    return square
