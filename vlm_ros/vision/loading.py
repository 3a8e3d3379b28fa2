"""Pictures from files, for use without a camera."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import Frame
from vlm_ros.vision.pillow import opened, rgb_from_pillow


def frame_from_file(path: Path) -> Frame:
    """The picture at ``path``, upright and without transparency, with stamp 0.

    EXIF orientation is applied, since a phone's photograph is meant to be seen so; what is transparent
    lies on white, as in the reference processors. Raises ``BadImage`` naming ``path``.
    """
    if not path.is_file():
        raise BadImage(f"no image file at '{path}'")
    name = f"'{path}'"
    return Frame(rgb_from_pillow(_on_white(_upright(opened(path, name), path)), name))


def _upright(image: Image.Image, path: Path) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except (struct.error, SyntaxError, ValueError) as error:
        raise BadImage(f"'{path}' has damaged EXIF data ({error}): save it again without") from error


def _on_white(image: Image.Image) -> Image.Image:
    if "A" not in image.getbands() and "transparency" not in image.info:
        return image
    if image.mode.startswith("I"):
        return _wide_grey_on_white(image)
    layer = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)


def _wide_grey_on_white(image: Image.Image) -> Image.Image:
    """16-bit grey in which one level is transparent; Pillow's way to RGBA would make all others white as well."""
    grey = np.array(image)
    grey[grey == image.info["transparency"]] = 65535
    return Image.fromarray(grey)
