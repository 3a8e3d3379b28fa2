"""Camera images that arrive as JPEG or PNG.

Always decoded here, never by cv_bridge: OpenCV turns a cut JPEG into a half-grey picture and calls
it good. EXIF orientation is left alone, so that pixels stay where the camera's calibration has them.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.pillow import opened, rgb_from_pillow


def rgb_from_compressed(data: Any, format: str = "") -> RgbImage:
    """The picture in the JPEG or PNG file ``data`` (any buffer of bytes).

    ``format`` is the field of ``sensor_msgs/CompressedImage``. The bytes themselves say which of the
    two they are; ``format`` only tells depth images, which are refused, and red and blue swapped.
    Raises ``BadImage`` for a depth image and for bytes that are cut, damaged or something else.
    """
    if "compressedDepth" in format:
        raise BadImage(f"a depth image ('{format}') shows no scene: subscribe to the colour camera's topic")
    name = f"compressed image ('{format}', {memoryview(data).nbytes} bytes)"
    rgb = rgb_from_pillow(opened(BytesIO(data), name, formats=("JPEG", "PNG")), name)
    return rgb[..., ::-1] if _stored_as_rgb(format) else rgb


def _stored_as_rgb(format: str) -> bool:
    """Whether red and blue changed places on the way into the file.

    image_transport's encoder takes blue first and says ``compressed bgr8``; handed red first it says
    ``compressed rgb8`` and the file holds the two swapped.
    """
    return "compressed rgb" in format
