"""From a camera's picture to the tensor that a vision encoder takes.

Bit-equal to the Pillow-based image processors in transformers under the same Pillow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage, check_rgb
from vlm_ros.vision.levels import LevelTable
from vlm_ros.vision.pillow import resized
from vlm_ros.vision.processor_config import ProcessorConfig


class Preprocessor:
    """Resize, crop, rescale and normalise, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, config: ProcessorConfig) -> None:
        self._config = config
        self._levels = LevelTable(config)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Preprocessor:
        """For the object in ``preprocessor_config.json``; ``BadBundle`` where a key cannot be honoured."""
        return cls(ProcessorConfig.from_json(content))

    @property
    def size_px(self) -> tuple[int, int] | None:
        """(height, width) of every result, or ``None`` where they depend on the picture."""
        size = self._config.size
        return self._config.crop or (size if isinstance(size, tuple) else None)

    def __call__(self, rgb: RgbImage) -> NDArray[np.float32]:
        """``pixel_values`` of shape (1, 3, height, width) for ``rgb`` of shape (height, width, 3).

        Raises ``BadImage`` for what is no picture, and for one so narrow that its resized form would fill the memory.
        """
        check_rgb(rgb)
        if self._config.size is not None:
            rgb = resized(rgb, _target_size(rgb, self._config.size), self._config.resample)
        if self._config.crop is not None:
            rgb = _center_cropped(rgb, self._config.crop)
        return self._levels(rgb)[np.newaxis]


def _target_size(rgb: RgbImage, size: tuple[int, int] | int) -> tuple[int, int]:
    """(height, width) after resizing; the longer edge is rounded down."""
    if isinstance(size, tuple):
        return size
    height, width = rgb.shape[:2]
    if width <= height:
        return int(size * height / width), size
    return size, int(size * width / height)


def _center_cropped(rgb: RgbImage, size: tuple[int, int]) -> RgbImage:
    """The middle of ``rgb``, on black where it is smaller than ``size``."""
    rows_from, rows_to = _overlap(rgb.shape[0], size[0])
    columns_from, columns_to = _overlap(rgb.shape[1], size[1])
    canvas = np.zeros((*size, 3), np.uint8)
    canvas[rows_to, columns_to] = rgb[rows_from, columns_from]
    return canvas


def _overlap(length: int, wanted: int) -> tuple[slice, slice]:
    """Where the kept part lies in an edge of ``length``, and where it goes in one of ``wanted`` pixels."""
    if length >= wanted:
        start = (length - wanted) // 2
        return slice(start, start + wanted), slice(0, wanted)
    start = (wanted - length + 1) // 2
    return slice(0, length), slice(start, start + length)
