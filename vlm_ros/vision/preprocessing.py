"""From a camera's picture to the tensor that a vision encoder takes.

Bit-equal to the Pillow-based image processors in transformers under the same Pillow: it resizes with
the same filter, and since a resized pixel has one of 256 levels, their arithmetic runs once for each
level and the picture is looked up in that table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.pillow import MAX_PIXELS
from vlm_ros.vision.processor_config import ProcessorConfig


class Preprocessor:
    """Resize, crop, rescale and normalise, as one model's ``preprocessor_config.json`` says."""

    def __init__(self, config: ProcessorConfig) -> None:
        self._config = config
        self._levels = _level_table(config)

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

        Raises ``BadImage`` for a picture so narrow that its resized form would fill the memory.
        """
        if self._config.size is not None:
            rgb = _resized(rgb, _target_size(rgb, self._config.size), self._config.resample)
        if self._config.crop is not None:
            rgb = _center_cropped(rgb, self._config.crop)
        pixel_values = np.empty((1, 3, *rgb.shape[:2]), np.float32)
        for channel, levels in enumerate(self._levels):
            # "clip" lets take write into its target directly; no level lies outside the table.
            np.take(levels, rgb[..., channel], out=pixel_values[0, channel], mode="clip")
        return pixel_values


def _level_table(config: ProcessorConfig) -> NDArray[np.float32]:
    """What each of the 256 levels becomes, shape (3, 256), in the reference's steps and precisions."""
    rescaled = (np.arange(256, dtype=np.float64) * config.scale).astype(np.float32)
    mean = np.array(config.mean, np.float32)[:, None]
    std = np.array(config.std, np.float32)[:, None]
    table: NDArray[np.float32] = (rescaled - mean) / std
    return table


def _target_size(rgb: RgbImage, size: tuple[int, int] | int) -> tuple[int, int]:
    """(height, width) after resizing; the longer edge is rounded down."""
    if isinstance(size, tuple):
        return size
    height, width = rgb.shape[:2]
    if width <= height:
        return int(size * height / width), size
    return size, int(size * width / height)


def _resized(rgb: RgbImage, size: tuple[int, int], resample: int) -> RgbImage:
    height, width = size
    if height * width > MAX_PIXELS:
        raise BadImage(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is too narrow to resize for this model")
    image = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(image.resize((width, height), resample=resample))


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
