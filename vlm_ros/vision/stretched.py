"""Pictures stretched over square tiles, in the grid most like them in shape, as InternVL looks at them.

Bit-equal to its Pillow-based image processor in transformers (GOT-OCR 2's).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.pillow import resized
from vlm_ros.vision.processor_config import FILE, ProcessorConfig, pixels_of, refuse_own_size
from vlm_ros.vision.tiling import in_tiles, nearest_grid

_BICUBIC = 3
_OWN_KEYS = ("crop_to_patches", "min_patches", "max_patches")
"""InternVL's processor cuts pictures whatever ``crop_to_patches`` says, which is false in its own checkpoints.

What it cuts it stretches first, whatever ``do_resize`` says.
"""


class StretchedTiles:
    """Resize, cut, rescale and normalise, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        config = ProcessorConfig.of_levels(content, _OWN_KEYS, _BICUBIC)
        self._resample = config.resample
        self._levels = LevelTable(config)
        self.side_px = _side_px(content.get("size", {"height": 384, "width": 384}))
        self._least = pixels_of("min_patches", content.get("min_patches", 1))
        self._most = pixels_of("max_patches", content.get("max_patches", 12))
        if self._most == 1:
            refuse_own_size(content, "and the only tile is as large as the model's pictures only when resized")

    def __call__(self, rgb: RgbImage) -> NDArray[np.float32]:
        """The tiles of ``rgb`` (height, width, 3), as (tiles, 3, side, side): row by row, and the whole after several.

        Raises ``BadImage`` where they would fill the memory.
        """
        rows, columns = nearest_grid(rgb.shape[:2], self.side_px, self._least, self._most)
        tiles = self._stretched(rgb, rows, columns)
        return tiles if len(tiles) == 1 else np.concatenate([tiles, self._stretched(rgb, 1, 1)])

    def _stretched(self, rgb: RgbImage, rows: int, columns: int) -> NDArray[np.float32]:
        size = (rows * self.side_px, columns * self.side_px)
        return in_tiles(self._levels(resized(rgb, size, self._resample)), self.side_px)


def _side_px(size: Any) -> int:
    """The side of a tile, which is a square."""
    height, width = (size.get("height"), size.get("width")) if isinstance(size, Mapping) else (size, size)
    if height != width:
        raise BadBundle(f"{FILE} has 'size': {size!r}, and tiles are square: give one height and width")
    return pixels_of("size", height)
