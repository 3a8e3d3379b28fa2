"""A picture small, and again at the resolution that suits its shape, in square tiles, as LLaVA-OneVision looks at it.

Bit-equal to its Pillow-based image processor in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.pillow import resized
from vlm_ros.vision.processor_config import FILE, ProcessorConfig, pixels_of
from vlm_ros.vision.tiling import in_tiles

_BICUBIC = 3
_OWN_KEYS = ("image_grid_pinpoints", "do_pad")

Size = tuple[int, int]
"""(height, width)."""


class AnyResolution:
    """Resize, pad, cut, rescale and normalise, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        config = ProcessorConfig.of_levels(content, _OWN_KEYS, _BICUBIC)
        self._resample = config.resample
        self._levels = LevelTable(config)
        size = content.get("size", {"height": 384, "width": 384})
        self.side_px = pixels_of("size", size.get("height") if isinstance(size, Mapping) else size)
        self._resolutions = _resolutions(content.get("image_grid_pinpoints"), self.side_px)

    def overview(self, rgb: RgbImage) -> NDArray[np.float32]:
        """The whole picture as one tile, of shape (1, 3, side, side)."""
        return self._levels(resized(rgb, (self.side_px, self.side_px), self._resample))[np.newaxis]

    def __call__(self, rgb: RgbImage) -> tuple[NDArray[np.float32], Size]:
        """The overview and all tiles after it, (tiles, 3, side, side), and the rows and columns of the latter."""
        high, wide = self._best_resolution(*rgb.shape[:2])
        inner = resized(rgb, _fitted(rgb.shape[0], rgb.shape[1], high, wide), self._resample)
        canvas = np.zeros((high, wide, 3), np.uint8)
        top, left = (high - inner.shape[0]) // 2, (wide - inner.shape[1]) // 2
        canvas[top : top + inner.shape[0], left : left + inner.shape[1]] = inner
        cut = in_tiles(self._levels(canvas), self.side_px)
        return np.concatenate([self.overview(rgb), cut]), (high // self.side_px, wide // self.side_px)

    def _best_resolution(self, height: int, width: int) -> Size:
        """The one that keeps the most of the picture's pixels, and of those the one that wastes the fewest."""

        def kept_and_spared(resolution: Size) -> tuple[int, int]:
            scale = min(resolution[1] / width, resolution[0] / height)
            kept = min(int(width * scale) * int(height * scale), width * height)
            return kept, kept - resolution[0] * resolution[1]

        return max(self._resolutions, key=kept_and_spared)


def _resolutions(pinpoints: Any, side_px: int) -> tuple[Size, ...]:
    if not isinstance(pinpoints, list) or not pinpoints:
        raise BadBundle(f"{FILE} has 'image_grid_pinpoints': {pinpoints!r}, expected a list of heights and widths")
    return tuple(_resolution(pinpoint, side_px) for pinpoint in pinpoints)


def _resolution(pinpoint: Any, side_px: int) -> Size:
    """The height and width in ``pinpoint``; the reference cuts others too, and its model cannot join what it cut."""
    match pinpoint:
        case [int(height), int(width)] if (
            min(height, width) >= side_px and not height % side_px and not width % side_px
        ):
            return height, width
    raise BadBundle(
        f"{FILE} has {pinpoint!r} among 'image_grid_pinpoints', expected a height and a width in whole tiles of "
        f"{side_px} pixels (size): leave it out, or take another model"
    )


def _fitted(height: int, width: int, high: int, wide: int) -> Size:
    """The size of a picture of ``height`` by ``width`` that fills ``high`` by ``wide`` in one direction."""
    if wide / width < high / height:
        return min(math.ceil(height * (wide / width)), high), wide
    return high, min(math.ceil(width * (high / height)), wide)
