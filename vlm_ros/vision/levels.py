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
    """What each of the 256 levels becomes, per channel; ``at_once`` as torchvision's image processors compute it."""

    def __init__(self, config: ProcessorConfig, *, at_once: bool = False) -> None:
        self._levels: NDArray[np.float32] = _at_once(config) if at_once else _step_by_step(config)

    def __call__(self, rgb: RgbImage) -> NDArray[np.float32]:
        """Numbers of shape (3, height, width) for ``rgb`` of shape (height, width, 3)."""
        pixel_values = np.empty((3, *rgb.shape[:2]), np.float32)
        for channel, levels in enumerate(self._levels):
            # "clip" lets take write into its target directly; no level lies outside the table.
            np.take(levels, rgb[..., channel], out=pixel_values[channel], mode="clip")
        return pixel_values


def _step_by_step(config: ProcessorConfig) -> NDArray[np.float32]:
    """Rescaled, then normalised."""
    rescaled = (np.arange(256, dtype=np.float64) * config.scale).astype(np.float32)
    mean, std = _columns(config)
    normalised: NDArray[np.float32] = (rescaled - mean) / std
    return normalised


def _at_once(config: ProcessorConfig) -> NDArray[np.float32]:
    """Normalised by a mean and a deviation of levels that are not rescaled."""
    mean, std = (column * np.float32(1 / config.scale) for column in _columns(config))
    normalised: NDArray[np.float32] = (np.arange(256, dtype=np.float32) - mean) / std
    return normalised


def _columns(config: ProcessorConfig) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean and the deviation of each channel, of shape (3, 1)."""
    return np.array(config.mean, np.float32)[:, None], np.array(config.std, np.float32)[:, None]
