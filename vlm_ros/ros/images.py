"""Between ``sensor_msgs`` images and frames.

Grey, RGB and BGR images become views and need no library. What has to be computed, YUV and Bayer,
goes through cv_bridge where a sourced ROS brings one that works, and through our own conversion
everywhere else; the pixels are the same.
"""

from __future__ import annotations

import importlib
import logging
from functools import lru_cache
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from sensor_msgs.msg import CompressedImage, Image

from vlm_ros.core.frame import Frame, RgbImage
from vlm_ros.ros.stamps import ns_from_stamp
from vlm_ros.vision.compressed import rgb_from_compressed
from vlm_ros.vision.encodings import ENCODINGS, RawImage, checked_encoding, rgb_from_raw

_log = logging.getLogger(__name__)

CV_BRIDGE_ENCODINGS = ("yuv422", "yuv422_yuy2", "bayer_rggb8", "bayer_bggr8", "bayer_gbrg8", "bayer_grbg8")
"""What cv_bridge is asked for: encodings that it knows and that cannot be had as a view."""


def frame_from_image(message: Image) -> Frame:
    """The picture in ``message``, with its exact stamp and frame id.

    The frame looks into the message where the encoding allows. Raises ``BadImage`` for an unknown
    encoding or sizes that contradict each other, and ``MissingLibrary`` for YUV and Bayer without OpenCV.
    """
    raw = raw_from_image(message)
    encoding = checked_encoding(raw)
    # cv_bridge counts a padded row in whole pixels and skews the picture where that leaves a rest.
    padded = raw.step_bytes != raw.width_px * encoding.channels
    bridge = cv_bridge() if raw.encoding in CV_BRIDGE_ENCODINGS and not padded else None
    rgb = rgb_from_raw(raw) if bridge is None else bridge.imgmsg_to_cv2(message, "rgb8")
    return Frame(rgb, ns_from_stamp(message.header.stamp), message.header.frame_id)


def frame_from_compressed(message: CompressedImage) -> Frame:
    """The JPEG or PNG picture in ``message``, with its exact stamp and frame id.

    Raises ``BadImage`` for depth images and for bytes that are cut, damaged or something else.
    """
    rgb = rgb_from_compressed(message.data, message.format)
    return Frame(rgb, ns_from_stamp(message.header.stamp), message.header.frame_id)


def image_from_rgb(rgb: RgbImage, stamp: Time, frame_id: str) -> Image:
    """A message in ``rgb8`` with a copy of ``rgb``."""
    height, width = rgb.shape[:2]
    message = _image(rgb, "rgb8", height, width, step=width * 3)
    message.header.stamp = stamp
    message.header.frame_id = frame_id
    return message


def raw_from_image(message: Image) -> RawImage:
    """The fields of ``message`` as plain values, sharing its data."""
    return RawImage(
        encoding=message.encoding,
        width_px=message.width,
        height_px=message.height,
        step_bytes=message.step,
        big_endian=bool(message.is_bigendian),
        data=message.data,
    )


@lru_cache(maxsize=1)
def cv_bridge() -> Any | None:
    """A ``CvBridge`` that works, or ``None``; found out once.

    Releases of cv_bridge, OpenCV and NumPy that do not match fail in many ways, some of them only in
    the compiled half and with errors of any type: so it is tried on a small image of each encoding.
    """
    try:
        bridge = importlib.import_module("cv_bridge").CvBridge()
        wrong = [encoding for encoding in CV_BRIDGE_ENCODINGS if not _agrees(bridge, encoding)]
    except Exception as error:
        _log.info("cv_bridge does not work here (%s): images are converted without it", error)
        return None
    if wrong:
        _log.warning("cv_bridge gives other pixels than expected for %s: images are converted without it", wrong)
        return None
    return bridge


def _agrees(bridge: Any, encoding: str) -> bool:
    """Whether cv_bridge and our own conversion make the same of a small image."""
    height, width, channels = 6, 8, ENCODINGS[encoding].channels
    content = np.arange(height * width * channels, dtype=np.uint8) * np.uint8(37)
    message = _image(content, encoding, height, width, step=width * channels)
    return np.array_equal(bridge.imgmsg_to_cv2(message, "rgb8"), rgb_from_raw(raw_from_image(message)))


def _image(content: Any, encoding: str, height: int, width: int, step: int) -> Image:
    message = Image(height=height, width=width, encoding=encoding, step=step)
    # Assigning an array checks it byte by byte; filling the message's own is a thousand times faster.
    message.data.frombytes(np.ascontiguousarray(content).data.cast("B"))
    return message
