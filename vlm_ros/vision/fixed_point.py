"""Pictures resized by a triangle filter in whole numbers, as torchvision's image processors do it on the processor.

Pillow's bilinear filter with weights of fewer bits: where a picture shrinks, a few pixels differ by a level or two.
Bit-equal to torch's on x86 with AVX2 or later, where torchvision leaves pictures in bytes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.pillow import check_size

_WEIGHT_BITS = 15
_MOST_BITS = 22


def resized_in_fixed_point(rgb: RgbImage, size: tuple[int, int]) -> RgbImage:
    """``rgb`` at ``size`` (height, width).

    Raises ``BadImage`` for a picture so narrow that its resized form would fill the memory.
    """
    check_size(rgb, size)
    wide = _resized_rows(rgb.swapaxes(0, 1), size[1]).swapaxes(0, 1)
    return np.ascontiguousarray(_resized_rows(wide, size[0]))


def _resized_rows(pixels: RgbImage, length: int) -> RgbImage:
    """``pixels`` (rows, any, 3) with ``length`` rows."""
    if len(pixels) == length:
        return pixels
    first, weights = _weights(len(pixels), length)
    bits = _bits_of(weights.max())
    scaled = np.floor(weights * (1 << bits) + 0.5).astype(np.int32)
    flat = np.ascontiguousarray(pixels).reshape(len(pixels), -1)
    resized = np.empty((length, flat.shape[1]), np.uint8)
    for row, (start, shares) in enumerate(zip(first, scaled, strict=True)):
        seen = flat[start : start + len(shares)]
        total = shares[: len(seen)] @ seen.astype(np.int32) + (1 << (bits - 1))
        resized[row] = (total >> bits).clip(0, 255)
    return resized.reshape(length, *pixels.shape[1:])


def _weights(length: int, wanted: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each of ``wanted`` rows the first of ``length`` that it is made of, and how much it takes of each from there.

    Rows behind the last have the weight 0.
    """
    scale = length / wanted
    reach = max(scale, 1.0)
    center = scale * (np.arange(wanted) + 0.5)
    first = np.maximum((center - reach + 0.5).astype(np.int64), 0)
    count = np.minimum((center + reach + 0.5).astype(np.int64), length) - first
    taps = np.arange(2 * math.ceil(reach) + 1)
    distance = np.abs((taps + (first - center)[:, np.newaxis] + 0.5) / reach)
    weights = np.where(taps < count[:, np.newaxis], np.maximum(1.0 - distance, 0.0), 0.0)
    return first, weights / weights.sum(axis=1, keepdims=True)


def _bits_of(largest: float) -> int:
    """How many bits weights have behind the point, so that the ``largest`` fits into 16 with its sign."""
    bits = 0
    while bits < _MOST_BITS and int(0.5 + largest * (1 << (bits + 1))) < 1 << _WEIGHT_BITS:
        bits += 1
    return bits
