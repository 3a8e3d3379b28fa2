"""Encodings that hold every pixel's colours side by side: a view of them is enough."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage


def rgb_from_rgb(pixels: NDArray[np.uint8]) -> RgbImage:
    """Pixels of shape (height, width, 3) as they are."""
    return pixels


def rgb_from_bgr(pixels: NDArray[np.uint8]) -> RgbImage:
    """A view of pixels of shape (height, width, 3), blue first."""
    return pixels[..., ::-1]


def rgb_from_rgba(pixels: NDArray[np.uint8]) -> RgbImage:
    """A view of pixels of shape (height, width, 4); a camera's alpha carries nothing."""
    return pixels[..., :3]


def rgb_from_bgra(pixels: NDArray[np.uint8]) -> RgbImage:
    """A view of pixels of shape (height, width, 4), blue first."""
    return pixels[..., 2::-1]


def rgb_from_grey(pixels: NDArray[np.uint8]) -> RgbImage:
    """A read-only view of pixels of shape (height, width, 1) that shows each one three times."""
    return np.broadcast_to(pixels, (*pixels.shape[:2], 3))


def rgb_from_grey16(pixels: NDArray[Any]) -> RgbImage:
    """16-bit pixels of shape (height, width, 1) scaled to 8 bits: 65535 becomes 255.

    65535 is 257 times 255, so that adding half of 257 rounds to the nearest level, as cv_bridge does.
    """
    rounded: NDArray[np.uint32] = (pixels.astype(np.uint32) + 128) // 257
    return rgb_from_grey(rounded.astype(np.uint8))
