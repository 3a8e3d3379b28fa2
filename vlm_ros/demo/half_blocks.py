"""Pictures on a terminal: each character is two pixels, one above the other."""

from __future__ import annotations

import numpy as np
from PIL import Image
from rich.segment import Segment, Segments
from rich.style import Style

_UPPER_HALF = "▀"


def half_blocks(image: Image.Image, columns: int) -> Segments:
    """``image`` in so many columns, its pixels square where a character is twice as high as wide."""
    rows = max(1, round(columns * image.height / image.width / 2))
    pixels = np.asarray(image.convert("RGB").resize((columns, 2 * rows), Image.Resampling.BOX))
    segments: list[Segment] = []
    for upper, lower in zip(pixels[0::2], pixels[1::2], strict=True):
        segments += (Segment(_UPPER_HALF, _style(*colors)) for colors in zip(upper, lower, strict=True))
        segments.append(Segment.line())
    return Segments(segments)


def _style(upper: np.ndarray, lower: np.ndarray) -> Style:
    return Style(color=_code(upper), bgcolor=_code(lower))


def _code(pixel: np.ndarray) -> str:
    red, green, blue = pixel
    return f"#{red:02x}{green:02x}{blue:02x}"
