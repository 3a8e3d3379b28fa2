"""Pictures as an overview and slices of it, each a row of patches, as MiniCPM-V looks at them.

Bit-equal to its Pillow-based image processor in transformers, but for the order of numbers within a patch.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.patch_rows import Grid, PatchRows
from vlm_ros.vision.pillow import resized
from vlm_ros.vision.processor_config import ProcessorConfig, pixels_of, refuse_own_size

_BICUBIC = 3
_OWN_KEYS = ("max_slice_nums", "scale_resolution", "patch_size", "slice_mode", "downsample_mode", "use_image_id")


@dataclass(frozen=True)
class SlicedPicture:
    """The whole picture small, and its ``slices`` where it was cut, in the rows and columns of ``grid``."""

    overview: PatchRows
    slices: PatchRows | None
    grid: Grid


class SlicePreprocessor:
    """Resize, cut, rescale and normalise, as one model's ``preprocessor_config.json`` says.

    Slices are whole blocks of ``block_patches`` by ``block_patches``, which later become one token.
    """

    def __init__(self, content: Mapping[str, Any], *, block_patches: int = 4) -> None:
        config = ProcessorConfig.of_levels(content, _OWN_KEYS, _BICUBIC)
        self._resample = config.resample
        self._levels = LevelTable(config)
        self._slices = int(content.get("max_slice_nums", 9)) if content.get("slice_mode", True) else 0
        self._scale_px = pixels_of("scale_resolution", content.get("scale_resolution", 448))
        self._side_px = pixels_of("patch_size", content.get("patch_size", 14))
        self._block_px = self._side_px * (2 if content.get("downsample_mode") == "4x" else block_patches)
        refuse_own_size(content, f"and only resized pictures are of whole blocks of {self._block_px} pixels")

    def __call__(self, rgb: RgbImage) -> SlicedPicture:
        """The overview and slices of ``rgb`` of shape (height, width, 3); ``BadImage`` where it is too narrow."""
        height, width = rgb.shape[:2]
        grid = self._grid(height, width)
        size = self._best_size(height, width, enlarge=grid is None)
        overview = self._cut(resized(rgb, size, self._resample), (1, 1))
        if grid is None:
            return SlicedPicture(overview, None, (0, 0))
        rows, columns = grid
        slice_size = self._best_size(_whole(height, rows) / rows, _whole(width, columns) / columns, enlarge=True)
        refined = resized(rgb, (slice_size[0] * rows, slice_size[1] * columns), self._resample)
        return SlicedPicture(overview, self._cut(refined, grid), grid)

    def _grid(self, height: int, width: int) -> Grid | None:
        """The rows and columns of slices whose shape is most like the picture's; ``None``: it is small enough."""
        wanted = min(math.ceil(width * height / self._scale_px**2), self._slices)
        if wanted <= 1:
            return None
        counts = [count for count in (wanted - 1, wanted, wanted + 1) if 1 < count <= self._slices]
        grids = [(rows, count // rows) for count in counts for rows in range(1, count + 1) if count % rows == 0]
        shape = math.log(width / height)
        return min(grids, key=lambda grid: (abs(shape - math.log(grid[1] / grid[0])), -grid[0]), default=(1, 1))

    def _best_size(self, height: float, width: float, *, enlarge: bool) -> Grid:
        """(height, width) in whole blocks, of about the area that the model was made for."""
        if height * width > self._scale_px**2 or enlarge:
            aspect = width / height
            height = int(self._scale_px / math.sqrt(aspect))
            width = int(height * aspect)
        return _whole(height, self._block_px), _whole(width, self._block_px)

    def _cut(self, rgb: RgbImage, grid: Grid) -> PatchRows:
        side, (rows, columns) = self._side_px, grid
        high, wide = rgb.shape[0] // rows // side, rgb.shape[1] // columns // side
        cut = self._levels(rgb).reshape(3, rows, high, side, columns, wide, side).transpose(1, 4, 2, 5, 0, 3, 6)
        return PatchRows(np.ascontiguousarray(cut).reshape(rows * columns, high * wide, -1), (high, wide))


def _whole(length: float, unit: int) -> int:
    """``length`` rounded to whole units, one at the least."""
    return max(round(length / unit) * unit, unit)
