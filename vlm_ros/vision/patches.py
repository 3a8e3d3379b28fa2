"""Pictures of any shape as a row of patches, as Qwen2-VL, Qwen2.5-VL and Qwen3.5 look at them.

Bit-equal to their Pillow-based image processor in transformers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.pillow import resized
from vlm_ros.vision.processor_config import ProcessorConfig, pixels_of

_BICUBIC = 3
_NARROWEST = 200
_DEFAULTS = {"patch_size": 14, "temporal_patch_size": 2, "merge_size": 2}
_OWN_KEYS = (*_DEFAULTS, "min_pixels", "max_pixels")


@dataclass(frozen=True)
class Patches:
    """``pixel_values`` (patches, channels * frames * side * side), in blocks that are merged to one token each.

    ``grid`` is (frames, rows, columns) of patches; the frames of a still picture are one.
    """

    pixel_values: NDArray[np.float32]
    grid: tuple[int, int, int]


class PatchPreprocessor:
    """Resize to whole blocks, rescale, normalise and cut, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        config = ProcessorConfig.of_levels(content, _OWN_KEYS, _BICUBIC)
        self._resample = config.resample
        self._levels = LevelTable(config)
        self._resizes = bool(content.get("do_resize", True))
        self._side_px, self._frames, self.merge = (
            pixels_of(key, content.get(key, default)) for key, default in _DEFAULTS.items()
        )
        self._least_px, self._most_px = _pixel_limits(content)

    def __call__(self, rgb: RgbImage) -> Patches:
        """The patches of ``rgb`` of shape (height, width, 3); ``BadImage`` for one that is too narrow."""
        if self._resizes:
            rgb = resized(rgb, self._whole_blocks(*rgb.shape[:2]), self._resample)
        rows, columns = (length // self._side_px for length in rgb.shape[:2])
        merge, side = self.merge, self._side_px
        if rgb.shape[:2] != (rows * side, columns * side) or rows % merge or columns % merge:
            raise BadImage(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is not of whole blocks: resize it")
        cut = self._levels(rgb).reshape(3, rows // merge, merge, side, columns // merge, merge, side)
        cut = cut.transpose(1, 4, 2, 5, 0, 3, 6)[:, :, :, :, :, np.newaxis]
        repeated = np.broadcast_to(cut, (*cut.shape[:5], self._frames, *cut.shape[6:]))
        return Patches(repeated.reshape(rows * columns, -1), (1, rows, columns))

    def _whole_blocks(self, height: int, width: int) -> tuple[int, int]:
        """(height, width) in whole blocks, near the picture's own and within the limits of its area."""
        if max(height, width) / min(height, width) > _NARROWEST:
            raise BadImage(f"a picture of {width} x {height} pixels is too narrow for this model")
        block = self._side_px * self.merge
        high, wide = round(height / block) * block, round(width / block) * block
        if high * wide > self._most_px:
            scale = math.sqrt((height * width) / self._most_px)
            return _blocks(height / scale / block, math.floor) * block, _blocks(
                width / scale / block, math.floor
            ) * block
        if high * wide < self._least_px:
            scale = math.sqrt(self._least_px / (height * width))
            return _blocks(height * scale / block, math.ceil) * block, _blocks(width * scale / block, math.ceil) * block
        return high, wide


def _blocks(count: float, rounded: Callable[[float], int]) -> int:
    return max(1, rounded(count))


def _pixel_limits(content: Mapping[str, Any]) -> tuple[int, int]:
    """The least and the most pixels of a resized picture; older files name them so, newer ones call them edges."""
    size = content.get("size")
    edges = size if isinstance(size, Mapping) else {}
    least = content.get("min_pixels") or edges.get("shortest_edge") or edges.get("min_pixels") or 56 * 56
    most = content.get("max_pixels") or edges.get("longest_edge") or edges.get("max_pixels") or 28 * 28 * 1280
    return pixels_of("min_pixels", least), pixels_of("max_pixels", most)
