"""Colours, fonts and lettering that all pictures share."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageDraw, ImageFont

from vlm_ros.core.errors import require

Color = tuple[int, int, int]

PAPER: Color = (250, 250, 247)
INK: Color = (32, 36, 42)
FAINT: Color = (110, 116, 124)
LINE: Color = (216, 216, 210)
GOOD: Color = (24, 128, 72)
BAD: Color = (192, 48, 40)
ROBOT: Color = (24, 84, 200)
TARGET: Color = (228, 0, 124)
WHITE: Color = (255, 255, 255)

MARGIN_PX = 16


@lru_cache(maxsize=32)
def font(size_px: int, *, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans, which matplotlib brings, so that the pictures look the same everywhere."""
    data = Path(require("matplotlib", "pip install 'vlm_ros[sim]'").get_data_path())
    return ImageFont.truetype(str(data / "fonts" / "ttf" / f"DejaVuSans{'-Bold' if bold else ''}.ttf"), size_px)


def shortened(text: str, face: ImageFont.FreeTypeFont, width_px: float) -> str:
    """``text``, cut with dots where it is wider than ``width_px``."""
    if face.getlength(text) <= width_px:
        return text
    while text and face.getlength(f"{text}…") > width_px:
        text = text[:-1]
    return f"{text.rstrip()}…"


def wrapped_lines(text: str, face: ImageFont.FreeTypeFont, width_px: float, most: int) -> list[str]:
    """``text`` in at most ``most`` lines; the last is cut with dots where more would follow."""
    lines: list[str] = []
    words = text.split()
    while words and len(lines) < most:
        count = 1
        while count < len(words) and face.getlength(" ".join(words[: count + 1])) <= width_px:
            count += 1
        whole = words if len(lines) == most - 1 else words[:count]
        lines.append(shortened(" ".join(whole), face, width_px))
        words = words[len(whole) :]
    return lines


def write_tag(draw: ImageDraw.ImageDraw, middle: tuple[float, float], text: str, size_px: int, color: Color) -> None:
    """White lettering on a rounded plate around ``middle``."""
    face = font(size_px, bold=True)
    half_width, half_height = face.getlength(text) / 2 + 0.5 * size_px, 0.75 * size_px
    x, y = middle
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    draw.rounded_rectangle(box, radius=half_height, fill=color)
    draw.text(middle, text, fill=WHITE, font=face, anchor="mm")
