"""What a moving camera and its driver do to a picture before anybody sees it: blur, exposure, noise, JPEG."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

BLURRED_SHARE, EXPOSED_SHARE, NOISY_SHARE, COMPRESSED_SHARE = 0.3, 0.5, 0.5, 0.5
LONGEST_BLUR = 0.05
"""Length of the longest blur as a share of the picture's width: a turn of 1.5 rad/s over 40 ms, seen at 70 degrees."""
QUALITY = (25, 90)
"""JPEG quality."""

Pixels = NDArray[np.uint8]


def spoilt(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    """``rgb`` (height, width, 3) as a camera might deliver it; the same generator gives the same picture."""
    pixels = rgb.astype(np.float32)
    if rng.uniform() < BLURRED_SHARE:
        pixels = _blurred(rng, pixels)
    if rng.uniform() < EXPOSED_SHARE:
        pixels = _exposed(rng, pixels)
    if rng.uniform() < NOISY_SHARE:
        pixels = pixels + rng.uniform(0, 14) * rng.standard_normal(pixels.shape, np.float32)
    delivered = np.clip(pixels + 0.5, 0, 255).astype(np.uint8)
    return _compressed(rng, delivered) if rng.uniform() < COMPRESSED_SHARE else delivered


def _exposed(rng: np.random.Generator, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """More or less light, cut off where it is too much, and another tone curve."""
    light = np.clip(rng.uniform(0.6, 1.5) * pixels / 255, 0, 1)
    return np.asarray(255 * light ** rng.uniform(0.7, 1.4), np.float32)


def _blurred(rng: np.random.Generator, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean over a straight motion, mostly sideways as when the robot turns."""
    length_px = rng.uniform(1.0, LONGEST_BLUR * pixels.shape[1])
    steps = np.linspace(-0.5, 0.5, int(length_px) + 2) * length_px
    tilt = rng.normal(0.0, 0.15)
    moved = [_shifted(pixels, round(float(step)), round(float(tilt * step))) for step in steps]
    return np.asarray(np.mean(moved, axis=0), np.float32)


def _shifted(pixels: NDArray[np.float32], right: int, down: int) -> NDArray[np.float32]:
    """Moved by whole pixels; the edge is repeated."""
    rows = np.clip(np.arange(pixels.shape[0]) - down, 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(pixels.shape[1]) - right, 0, pixels.shape[1] - 1)
    return pixels[rows[:, np.newaxis], columns]


def _compressed(rng: np.random.Generator, rgb: Pixels) -> Pixels:
    packed = io.BytesIO()
    Image.fromarray(rgb).save(packed, "JPEG", quality=int(rng.integers(*QUALITY)))
    return np.array(Image.open(packed))
