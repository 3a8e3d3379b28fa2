"""From the raw bytes of a camera image, in any common ROS encoding, to a picture in RGB.

The pixels are those that cv_bridge gives for ``rgb8``, with two additions: ``8UC1`` and ``8UC3``,
which carry no colour of their own, are read as OpenCV users mean them, grey and BGR; and the
names that cv_bridge does not know (``uyvy``, ``yuyv``, ``nv12``, ``nv21``) are read as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision import bayer, packed, yuv

Pixels = NDArray[Any]
"""Samples of shape (rows, width, channels), rows padded or not, as the message holds them."""


@dataclass(frozen=True)
class RawImage:
    """The content of a ``sensor_msgs/Image``; ``data`` is any buffer of bytes and is not copied."""

    encoding: str
    width_px: int
    height_px: int
    step_bytes: int
    big_endian: bool
    data: Any

    @property
    def data_bytes(self) -> int:
        """How many bytes there are."""
        return memoryview(self.data).nbytes

    def __str__(self) -> str:
        return (
            f"image in '{self.encoding}' of {self.width_px} x {self.height_px} pixels (width x height) "
            f"with rows of {self.step_bytes} bytes and {self.data_bytes} bytes of data"
        )


@dataclass(frozen=True)
class Encoding:
    """How an encoding lies in memory, and how it becomes RGB.

    ``width_step`` and ``height_step`` are what width and height must be multiples of: 2 where
    neighbours share their colour. ``rows_per_height`` is over 1 where more planes follow the first.
    """

    rgb_from_pixels: Callable[[Pixels], RgbImage]
    channels: int = 1
    sample_bytes: int = 1
    width_step: int = 1
    height_step: int = 1
    rows_per_height: float = 1.0


ENCODINGS: dict[str, Encoding] = {
    "rgb8": Encoding(packed.rgb_from_rgb, channels=3),
    "bgr8": Encoding(packed.rgb_from_bgr, channels=3),
    "rgba8": Encoding(packed.rgb_from_rgba, channels=4),
    "bgra8": Encoding(packed.rgb_from_bgra, channels=4),
    "mono8": Encoding(packed.rgb_from_grey),
    "mono16": Encoding(packed.rgb_from_grey16, sample_bytes=2),
    "8UC1": Encoding(packed.rgb_from_grey),
    "8UC3": Encoding(packed.rgb_from_bgr, channels=3),
    "yuv422": Encoding(yuv.rgb_from_uyvy, channels=2, width_step=2),
    "uyvy": Encoding(yuv.rgb_from_uyvy, channels=2, width_step=2),
    "yuv422_yuy2": Encoding(yuv.rgb_from_yuyv, channels=2, width_step=2),
    "yuyv": Encoding(yuv.rgb_from_yuyv, channels=2, width_step=2),
    "nv12": Encoding(yuv.rgb_from_nv12, width_step=2, height_step=2, rows_per_height=1.5),
    "nv21": Encoding(yuv.rgb_from_nv21, width_step=2, height_step=2, rows_per_height=1.5),
    "bayer_rggb8": Encoding(bayer.rgb_from_rggb),
    "bayer_bggr8": Encoding(bayer.rgb_from_bggr),
    "bayer_gbrg8": Encoding(bayer.rgb_from_gbrg),
    "bayer_grbg8": Encoding(bayer.rgb_from_grbg),
}


def rgb_from_raw(raw: RawImage) -> RgbImage:
    """The picture in ``raw``, without a copy where the encoding allows (rgb, bgr, rgba, bgra, grey).

    Raises ``BadImage`` where the encoding is unknown or the sizes contradict each other, and
    ``MissingLibrary`` where YUV or Bayer images arrive and OpenCV is not installed.
    """
    encoding = checked_encoding(raw)
    pixels: Pixels = np.ndarray(
        shape=(_rows(raw, encoding), raw.width_px, encoding.channels),
        dtype=np.dtype(f"{'>' if raw.big_endian else '<'}u{encoding.sample_bytes}"),
        buffer=raw.data,
        strides=(raw.step_bytes, encoding.channels * encoding.sample_bytes, encoding.sample_bytes),
    )
    return encoding.rgb_from_pixels(pixels)


def checked_encoding(raw: RawImage) -> Encoding:
    """The encoding of ``raw``, or ``BadImage`` naming everything that does not fit together."""
    encoding = ENCODINGS.get(raw.encoding)
    if encoding is None:
        raise BadImage(f"unknown image encoding '{raw.encoding}': known are {', '.join(ENCODINGS)}")
    contradiction = _contradiction(raw, encoding)
    if contradiction:
        raise BadImage(f"{raw}: {contradiction}; check what the camera driver publishes")
    return encoding


def _contradiction(raw: RawImage, encoding: Encoding) -> str:
    row_bytes = raw.width_px * encoding.channels * encoding.sample_bytes
    rows = _rows(raw, encoding)
    if raw.width_px <= 0 or raw.height_px <= 0:
        return "it has no pixels"
    if raw.width_px % encoding.width_step or raw.height_px % encoding.height_step:
        return f"width and height must be multiples of {encoding.width_step} and {encoding.height_step}"
    if raw.step_bytes < row_bytes:
        return f"a row needs at least {row_bytes} bytes"
    if raw.step_bytes * rows != raw.data_bytes:
        return f"{rows} rows of {raw.step_bytes} bytes are {raw.step_bytes * rows} bytes"
    return ""


def _rows(raw: RawImage, encoding: Encoding) -> int:
    return int(raw.height_px * encoding.rows_per_height)
