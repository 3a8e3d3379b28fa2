"""From Pillow's pictures to pixels in RGB, whatever mode a file came in."""

from __future__ import annotations

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.vision.packed import rgb_from_grey, rgb_from_grey16

MAX_PIXELS = 1 << 26
"""A picture of 8192 x 8192; what claims to be larger is refused before any memory is taken for it."""

warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)  # our own bound is lower, and an error

_ROUNDING = 0.01
"""How far numbers may lie beyond black and white, relative to white, as sums of weighted colours do."""


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
    except Image.DecompressionBombError as error:
        raise BadImage(f"{name} claims to be larger than {MAX_PIXELS} pixels, which are read at most") from error
    except (OSError, ValueError, SyntaxError) as error:
        raise BadImage(f"{name} cannot be decoded ({error})") from error
    return image


def rgb_from_pillow(image: Image.Image, name: str) -> RgbImage:
    """Pixels of ``image`` without its alpha; 16-bit grey, and numbers of 0 to 1 or 0 to 255, become 8-bit grey.

    Raises ``BadImage``, which calls it ``name``, for other numbers.
    """
    if image.mode.startswith("I"):
        return rgb_from_grey16(np.asarray(image).clip(0, 65535)[..., None])
    if image.mode == "F":
        return rgb_from_grey(_levels(np.asarray(image), name)[..., None])
    return np.asarray(image.convert("RGB"))


def _levels(numbers: NDArray[np.float32], name: str) -> NDArray[np.uint8]:
    """The nearest of 256 levels; a picture whose largest number is below 2 would be black unless 1 is its white."""
    if not np.isfinite(numbers).all():
        raise BadImage(f"{name} holds NaN or infinite numbers: fill these pixels, and save it again")
    darkest, brightest = float(numbers.min()), float(numbers.max())
    white = 1 if brightest < 2 else 255
    if darkest < -_ROUNDING * white or brightest > (1 + _ROUNDING) * white:
        raise BadImage(
            f"{name} holds numbers from {darkest:g} to {brightest:g}, and pixels are read from 0 to 1 or "
            "from 0 to 255: scale it to one of these, and save it again"
        )
    return (numbers * np.float32(255 / white)).clip(0, 255).round().astype(np.uint8)


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
