"""How many square tiles a picture is cut into, and the cutting."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.vision.patch_rows import Grid


def nearest_grid(size: Grid, tile_px: int, least: int, most: int) -> Grid:
    """The rows and columns, ``least`` to ``most`` tiles in all, most like a picture of ``size`` (height, width).

    Of several, the last that the picture half fills; (1, 1) where none are allowed.
    """
    height, width = size
    counts = range(1, most + 1)
    shapes = [(wide, high) for wide in counts for high in counts if least <= wide * high <= most]
    best, smallest = (1, 1), math.inf
    for wide, high in sorted(shapes, key=lambda shape: shape[0] * shape[1]):
        off = abs(width / height - wide / high)
        if off < smallest or (off == smallest and height * width > 0.5 * tile_px**2 * wide * high):
            best, smallest = (high, wide), off
    return best


def in_tiles(pixels: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """``pixels`` (channels, rows * side, columns * side) as (rows * columns, channels, side, side), row by row."""
    channels, height, width = pixels.shape
    cut = pixels.reshape(channels, height // side, side, width // side, side).transpose(1, 3, 0, 2, 4)
    return cut.reshape(-1, channels, side, side)
