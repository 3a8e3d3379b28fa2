"""Pictures near their own size, or in square tiles with the whole small at the end, as LFM2-VL looks at them.

Bit-equal to its image processor in transformers where torchvision leaves pictures in bytes (``fixed_point``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_ros.core.errors import BadBundle, BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.fixed_point import resized_in_fixed_point
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.patch_rows import Grid, PatchRows
from vlm_ros.vision.processor_config import FILE, ProcessorConfig, number_of, pixels_of
from vlm_ros.vision.tiling import nearest_grid

_BILINEAR = 2
_NUMBERS = {
    "downsample_factor": 2,
    "min_tiles": 2,
    "max_tiles": 10,
    "min_image_tokens": 64,
    "max_image_tokens": 256,
    "encoder_patch_size": 16,
    "tile_size": 512,
}
_OWN_KEYS = (
    *(*_NUMBERS, "do_image_splitting", "use_thumbnail", "max_pixels_tolerance", "max_num_patches"),
    *("do_pad", "return_row_col_info"),
)


@dataclass(frozen=True)
class NativePicture:
    """The tiles of a picture, row by row, where it was cut, and the whole of it, as ``groups`` of one size each.

    ``grid`` is (0, 0) where there is the whole alone.
    """

    groups: tuple[PatchRows, ...]
    grid: Grid = (0, 0)


class NativePreprocessor:
    """Resize, cut, rescale and normalise, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        config = ProcessorConfig.of_levels(content, _OWN_KEYS, _BILINEAR)
        if config.resample != _BILINEAR:
            raise BadBundle(
                f"{FILE} has 'resample': {config.resample!r}, and pictures of this family are resized with "
                f"{_BILINEAR} (bilinear) alone; change the file or take another model"
            )
        self._levels = LevelTable(config, at_once=True)
        numbers = {key: pixels_of(key, content.get(key, default)) for key, default in _NUMBERS.items()}
        self._side_px, self._tile_px = numbers["encoder_patch_size"], numbers["tile_size"]
        self._block_px = self._side_px * numbers["downsample_factor"]
        self._least_px, self._most_px = (
            numbers[key] * self._block_px**2 for key in ("min_image_tokens", "max_image_tokens")
        )
        self._least_tiles, self._most_tiles = numbers["min_tiles"], numbers["max_tiles"]
        self._splits = bool(content.get("do_image_splitting", True)) and self._most_tiles > 1
        self._adds_whole = bool(content.get("use_thumbnail", True))
        self._large_px = self._most_px * number_of("max_pixels_tolerance", content.get("max_pixels_tolerance", 2.0))
        self._check_tiles()

    @property
    def most_patches(self) -> int:
        """How many patches a tile or a whole may have."""
        whole = self._most_px // self._side_px**2
        return max(whole, (self._tile_px // self._side_px) ** 2 if self._splits else 0)

    def __call__(self, rgb: RgbImage) -> NativePicture:
        """The tiles of ``rgb`` of shape (height, width, 3), and the whole; ``BadImage`` where it is too narrow."""
        height, width = rgb.shape[:2]
        size = self._whole_size(height, width)
        if size[0] * size[1] > self.most_patches * self._side_px**2:
            raise BadImage(f"a picture of {width} x {height} pixels is too narrow for this model")
        if not (self._splits and self._is_large(height, width)):
            return NativePicture((self._cut(resized_in_fixed_point(rgb, size), (1, 1)),))
        rows, columns = nearest_grid((height, width), self._tile_px, self._least_tiles, self._most_tiles)
        refined = resized_in_fixed_point(rgb, (rows * self._tile_px, columns * self._tile_px))
        tiles = self._cut(refined, (rows, columns))
        if not self._adds_whole or rows * columns == 1:
            return NativePicture((tiles,), (rows, columns))
        return NativePicture((tiles, self._cut(resized_in_fixed_point(rgb, size), (1, 1))), (rows, columns))

    def _check_tiles(self) -> None:
        if self._splits and (self._least_tiles > self._most_tiles or self._tile_px % self._block_px):
            raise BadBundle(
                f"{FILE} has min_tiles {self._least_tiles}, max_tiles {self._most_tiles} and tile_size "
                f"{self._tile_px}: give no more at least than at most, and tiles of whole blocks of {self._block_px}"
            )

    def _is_large(self, height: int, width: int) -> bool:
        """Whether a picture has more pixels than the model looks at as a whole, and then some."""
        high, wide = (max(self._side_px, round(length / self._block_px) * self._block_px) for length in (height, width))
        return high * wide > self._large_px

    def _whole_size(self, height: int, width: int) -> Grid:
        """(height, width) in whole blocks, near the picture's own and within the limits of its area."""
        block = self._block_px
        high, wide = (max(block, round(length / block) * block) for length in (height, width))
        if high * wide > self._most_px:
            scale = math.sqrt((height * width) / self._most_px)
            return max(block, math.floor(height / scale / block) * block), max(
                block, math.floor(width / scale / block) * block
            )
        if high * wide < self._least_px:
            scale = math.sqrt(self._least_px / (height * width))
            return math.ceil(height * scale / block) * block, math.ceil(width * scale / block) * block
        return high, wide

    def _cut(self, rgb: RgbImage, grid: Grid) -> PatchRows:
        side, (rows, columns) = self._side_px, grid
        high, wide = rgb.shape[0] // rows // side, rgb.shape[1] // columns // side
        cut = self._levels(rgb).reshape(3, rows, high, side, columns, wide, side).transpose(1, 4, 2, 5, 3, 6, 0)
        return PatchRows(np.ascontiguousarray(cut).reshape(rows * columns, high * wide, -1), (high, wide))
