"""Pictures for walls and floors, painted from a seed; every one repeats without a seam."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from vlm_ros.sim.scene import Surface

_SIZE_PX = 128
Tone = NDArray[np.float64]
"""Shape (size, size), 0 is the surface's dark colour and 1 its light one."""


def texture_from_surface(surface: Surface) -> NDArray[np.uint8]:
    """RGB pixels of shape (128, 128, 3) that show one tile of ``surface``."""
    rng = np.random.default_rng(surface.seed)
    tone = np.clip(PATTERNS[surface.pattern](rng), 0.0, 1.0)[..., np.newaxis]
    rgb = np.asarray(surface.dark) * (1 - tone) + np.asarray(surface.light) * tone
    return (np.clip(rgb, 0.0, 1.0) * 255).astype(np.uint8)


def _plain(rng: np.random.Generator) -> Tone:
    return 0.8 + 0.2 * _grain(rng)


def _checker(rng: np.random.Generator) -> Tone:
    half = np.arange(_SIZE_PX) // (_SIZE_PX // 2)
    return 0.85 * (half[:, np.newaxis] ^ half) + 0.15 * _grain(rng)


def _stripes(rng: np.random.Generator) -> Tone:
    width = _SIZE_PX // int(rng.choice([2, 4, 8]))
    stripe = (np.arange(_SIZE_PX) // width) % 2
    return np.broadcast_to(0.85 * stripe, (_SIZE_PX, _SIZE_PX)) + 0.15 * _grain(rng)


def _noise(rng: np.random.Generator) -> Tone:
    octaves = [_smooth_noise(rng, cells) / weight for weight, cells in ((1, 4), (2, 8), (4, 16), (6, 32))]
    return _stretched(np.sum(octaves, axis=0))


def _planks(rng: np.random.Generator) -> Tone:
    rows, height = 4, _SIZE_PX // 4
    tone = np.empty((_SIZE_PX, _SIZE_PX))
    for row in range(rows):
        band = slice(row * height, (row + 1) * height)
        tone[band] = rng.uniform(0.5, 0.9) + 0.15 * (_smooth_noise(rng, 16)[:1] - 0.5)
        joint = int(rng.integers(_SIZE_PX))
        tone[band, joint : joint + 2] = 0.1
        tone[row * height] = 0.1
    return tone + 0.08 * (_grain(rng) - 0.5)


def _grain(rng: np.random.Generator) -> Tone:
    return rng.random((_SIZE_PX, _SIZE_PX))


def _smooth_noise(rng: np.random.Generator, cells: int) -> Tone:
    """Random values on a coarse torus, blended in between (value noise)."""
    corners = rng.random((cells, cells))
    place = np.arange(_SIZE_PX) * cells / _SIZE_PX
    low = place.astype(int)
    share = place - low
    share = share * share * (3 - 2 * share)
    high = (low + 1) % cells
    rows = corners[low] * (1 - share)[:, np.newaxis] + corners[high] * share[:, np.newaxis]
    return np.asarray(rows[:, low] * (1 - share) + rows[:, high] * share)


def _stretched(tone: Tone) -> Tone:
    return np.asarray((tone - tone.min()) / np.ptp(tone))


PATTERNS: dict[str, Callable[[np.random.Generator], Tone]] = {
    "plain": _plain,
    "checker": _checker,
    "stripes": _stripes,
    "noise": _noise,
    "planks": _planks,
}
