"""Encodings in which neighbouring pixels share their colour: OpenCV converts them, as it does for cv_bridge."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.opencv import converted


def rgb_from_uyvy(pixels: NDArray[np.uint8]) -> RgbImage:
    """4:2:2 samples of shape (height, width, 2) in the order U Y V Y."""
    return converted(pixels, "COLOR_YUV2RGB_UYVY")


def rgb_from_yuyv(pixels: NDArray[np.uint8]) -> RgbImage:
    """4:2:2 samples of shape (height, width, 2) in the order Y U Y V."""
    return converted(pixels, "COLOR_YUV2RGB_YUY2")


def rgb_from_nv12(pixels: NDArray[np.uint8]) -> RgbImage:
    """4:2:0 samples of shape (height * 3 / 2, width, 1): all of Y, then rows of U V."""
    return converted(pixels, "COLOR_YUV2RGB_NV12")


def rgb_from_nv21(pixels: NDArray[np.uint8]) -> RgbImage:
    """4:2:0 samples of shape (height * 3 / 2, width, 1): all of Y, then rows of V U."""
    return converted(pixels, "COLOR_YUV2RGB_NV21")
