"""From Pillow's pictures to pixels in RGB, whatever mode a file came in."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.packed import rgb_from_grey16

MAX_PIXELS = 1 << 26
"""A picture of 8192 x 8192; what claims to be larger is refused before any memory is taken for it."""


def opened(source: BytesIO | Path, name: str, formats: tuple[str, ...] | None = None) -> Image.Image:
    """The whole picture in ``source``, decoded.

    Raises ``BadImage``, which calls it ``name``, where it is none of ``formats`` (names that Pillow
    knows; ``None``: any), cut short, damaged or larger than ``MAX_PIXELS``.
    """
    try:
        image = Image.open(source, formats=formats)
        if image.width * image.height > MAX_PIXELS:
            raise BadImage(f"{name} claims {image.width} x {image.height} pixels: at most {MAX_PIXELS} are read")
        image.load()
    except UnidentifiedImageError as error:
        known = " or ".join(formats or ("an image that Pillow reads",))
        raise BadImage(f"{name} is not {known}") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise BadImage(f"{name} cannot be decoded ({error})") from error
    return image


def rgb_from_pillow(image: Image.Image) -> RgbImage:
    """Pixels of ``image`` without its alpha; 16-bit grey becomes 8-bit grey."""
    if image.mode.startswith("I"):
        return rgb_from_grey16(np.asarray(image).clip(0, 65535)[..., None])
    return np.asarray(image.convert("RGB"))


def resized(rgb: RgbImage, size: tuple[int, int], resample: int) -> RgbImage:
    """``rgb`` at ``size`` (height, width), by one of Pillow's filters.

    Raises ``BadImage`` for a picture so narrow that its resized form would fill the memory.
    """
    check_size(rgb, size)
    height, width = size
    image = Image.fromarray(np.ascontiguousarray(rgb))
    return np.asarray(image.resize((width, height), resample=resample))


def check_size(rgb: RgbImage, size: tuple[int, int]) -> None:
    """``BadImage`` where ``rgb`` at ``size`` (height, width) would fill the memory."""
    height, width = size
    if height * width > MAX_PIXELS:
        raise BadImage(f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is too narrow to resize for this model")
