"""From pixels of 256 levels to normalised numbers.

The reference processors' arithmetic runs once for each level, in their steps and precisions, and pictures are looked
up in that table: the same bits, many times faster.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.processor_config import ProcessorConfig


class LevelTable:
    """What each of the 256 levels becomes, per channel."""

    def __init__(self, config: ProcessorConfig) -> None:
        rescaled = (np.arange(256, dtype=np.float64) * config.scale).astype(np.float32)
        mean = np.array(config.mean, np.float32)[:, None]
        std = np.array(config.std, np.float32)[:, None]
        self._levels: NDArray[np.float32] = (rescaled - mean) / std

    def __call__(self, rgb: RgbImage) -> NDArray[np.float32]:
        """Numbers of shape (3, height, width) for ``rgb`` of shape (height, width, 3)."""
        pixel_values = np.empty((3, *rgb.shape[:2]), np.float32)
        for channel, levels in enumerate(self._levels):
            # "clip" lets take write into its target directly; no level lies outside the table.
            np.take(levels, rgb[..., channel], out=pixel_values[channel], mode="clip")
        return pixel_values
