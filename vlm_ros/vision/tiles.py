"""Pictures cut into square tiles, with the whole of it small at the end, as Idefics3 and SmolVLM look at them.

Bit-equal to their Pillow-based image processors in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.pillow import resized
from vlm_ros.vision.processor_config import ProcessorConfig, pixels_of
from vlm_ros.vision.tiling import in_tiles

_LANCZOS = 1
_LONGEST_PX = 4096
_OWN_KEYS = ("max_image_size", "do_image_splitting", "do_pad", "return_row_col_info", "video_sampling")


@dataclass(frozen=True)
class Tiles:
    """``pixel_values`` (tiles, 3, side, side): row by row, the whole picture last. 0 ``rows``: the whole alone."""

    pixel_values: NDArray[np.float32]
    rows: int
    columns: int


class TilePreprocessor:
    """Resize, cut, rescale and normalise, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        config = ProcessorConfig.of_levels(content, _OWN_KEYS, _LANCZOS)
        self._resample = config.resample
        self._levels = LevelTable(config)
        self._resizes = bool(content.get("do_resize", True))
        self._splits = bool(content.get("do_image_splitting", True))
        self._side_px = _longest_edge(content, "max_image_size", 364)
        self._longest_px = _longest_edge(content, "size", 4 * 364)

    def __call__(self, rgb: RgbImage) -> Tiles:
        """The tiles of ``rgb`` of shape (height, width, 3); ``BadImage`` for a picture that is too narrow."""
        if self._resizes:
            rgb = resized(rgb, _within(rgb, self._longest_px), self._resample)
        if not self._splits:
            return self._whole(rgb)
        rgb = resized(rgb, self._whole_tiles(rgb), self._resample)
        rows, columns = (length // self._side_px for length in rgb.shape[:2])
        if rows * columns == 1:
            return self._whole(rgb)
        cut = in_tiles(self._levels(rgb), self._side_px)
        return Tiles(np.concatenate([cut, self._whole(rgb).pixel_values]), rows, columns)

    def _whole(self, rgb: RgbImage) -> Tiles:
        small = resized(rgb, (self._side_px, self._side_px), self._resample)
        return Tiles(self._levels(small)[np.newaxis], 0, 0)

    def _whole_tiles(self, rgb: RgbImage) -> tuple[int, int]:
        """The least whole numbers of tiles that hold the picture; the shorter edge follows the rounded longer one."""
        height, width = rgb.shape[:2]
        aspect, side = width / height, self._side_px
        if width >= height:
            width = math.ceil(width / side) * side
            return math.ceil(int(width / aspect) / side) * side, width
        height = math.ceil(height / side) * side
        return height, math.ceil(int(height * aspect) / side) * side


def _longest_edge(content: Mapping[str, Any], key: str, default: int) -> int:
    value = content.get(key, {"longest_edge": default})
    return pixels_of(key, value.get("longest_edge") if isinstance(value, Mapping) else value)


def _within(rgb: RgbImage, longest_px: int) -> tuple[int, int]:
    """(height, width) with the longer edge as wanted and the shorter even, none beyond what the reference takes."""
    height, width = rgb.shape[:2]
    aspect = width / height
    if width >= height:
        height, width = _even(int(longest_px / aspect)), longest_px
    else:
        height, width = longest_px, _even(int(longest_px * aspect))
    aspect = width / height
    if width >= height and width > _LONGEST_PX:
        height, width = int(_LONGEST_PX / aspect), _LONGEST_PX
    elif height > width and height > _LONGEST_PX:
        height, width = _LONGEST_PX, int(_LONGEST_PX * aspect)
    return max(height, 1), max(width, 1)


def _even(length: int) -> int:
    return max(1, length + length % 2)
