"""Pictures made square by a border."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.pillow import check_size


def on_square(rgb: RgbImage, color: Sequence[int]) -> RgbImage:
    """``rgb`` in the middle of a square of ``color``, as wide as its longer edge; odd borders are wider at the end.

    Raises ``BadImage`` for a picture so narrow that the square would fill the memory.
    """
    height, width = rgb.shape[:2]
    if height == width:
        return rgb
    side = max(height, width)
    check_size(rgb, (side, side))
    top, left = (side - height) // 2, (side - width) // 2
    square = np.empty((side, side, 3), np.uint8)
    square[:] = color
    square[top : top + height, left : left + width] = rgb
    return square
