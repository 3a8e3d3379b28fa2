"""Raw sensor mosaics. OpenCV names a pattern by its second row and column, ROS by its first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.opencv import converted


def rgb_from_rggb(pixels: NDArray[np.uint8]) -> RgbImage:
    """A mosaic of shape (height, width, 1) that starts with R G above G B."""
    return converted(pixels, "COLOR_BayerBG2RGB")


def rgb_from_bggr(pixels: NDArray[np.uint8]) -> RgbImage:
    """A mosaic of shape (height, width, 1) that starts with B G above G R."""
    return converted(pixels, "COLOR_BayerRG2RGB")


def rgb_from_gbrg(pixels: NDArray[np.uint8]) -> RgbImage:
    """A mosaic of shape (height, width, 1) that starts with G B above R G."""
    return converted(pixels, "COLOR_BayerGR2RGB")


def rgb_from_grbg(pixels: NDArray[np.uint8]) -> RgbImage:
    """A mosaic of shape (height, width, 1) that starts with G R above B G."""
    return converted(pixels, "COLOR_BayerGB2RGB")
