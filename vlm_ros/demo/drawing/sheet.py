"""The contact sheet: what the robot saw along the way, and what it said of it."""

from __future__ import annotations

import io
from collections.abc import Sequence

from PIL import Image, ImageDraw

from vlm_ros.demo.drawing.captions import doing_text, percept_color, percept_text
from vlm_ros.demo.drawing.heading import HEADING_PX, write_heading
from vlm_ros.demo.drawing.style import (
    FAINT,
    INK,
    LINE,
    MARGIN_PX,
    PAPER,
    Color,
    font,
    shortened,
    wrapped_lines,
    write_tag,
)
from vlm_ros.demo.judging import Result
from vlm_ros.demo.recording import Moment

_COLUMNS = 4
_PICTURE_PX = (400, 300)
_TEXT_PX = 118
_SPOKEN_LINES = 3


def contact_sheet(result: Result, moments: Sequence[Moment]) -> Image.Image:
    """Four pictures a row, in the order of time; each with its time, percept, words and state."""
    rows = -(-len(moments) // _COLUMNS)
    width = MARGIN_PX + _COLUMNS * (_PICTURE_PX[0] + MARGIN_PX)
    page = Image.new("RGB", (width, HEADING_PX + rows * (_PICTURE_PX[1] + _TEXT_PX + MARGIN_PX)), PAPER)
    draw = ImageDraw.Draw(page)
    write_heading(draw, result, width)
    for index, moment in enumerate(moments):
        row, column = divmod(index, _COLUMNS)
        left = MARGIN_PX + column * (_PICTURE_PX[0] + MARGIN_PX)
        _draw_moment(page, draw, moment, left, HEADING_PX + row * (_PICTURE_PX[1] + _TEXT_PX + MARGIN_PX))
    return page


def picture_from_jpeg(jpeg: bytes | None, size_px: tuple[int, int]) -> Image.Image:
    """The camera's picture in another size; grey where there is none."""
    if jpeg is None:
        return Image.new("RGB", size_px, LINE)
    return Image.open(io.BytesIO(jpeg)).convert("RGB").resize(size_px, Image.Resampling.BICUBIC)


def _draw_moment(page: Image.Image, draw: ImageDraw.ImageDraw, moment: Moment, left: int, top: int) -> None:
    width, height = _PICTURE_PX
    page.paste(picture_from_jpeg(moment.jpeg, _PICTURE_PX), (left, top))
    draw.rectangle((left, top, left + width - 1, top + height - 1), outline=LINE)
    write_tag(draw, (left + 40, top + 19), f"{moment.time_s:.1f} s", 15, INK)
    lines: list[tuple[str, int, bool, Color]] = [
        (percept_text(moment.percept), 15, True, percept_color(moment.percept)),
        (doing_text(moment.doing), 14, False, FAINT),
    ]
    y = top + height + 16
    for text, size, bold, color in lines:
        face = font(size, bold=bold)
        draw.text((left, y), shortened(text, face, width), fill=color, font=face, anchor="lm")
        y += size + 7
    face = font(15)
    for line in wrapped_lines(f"“{moment.said}”" if moment.said else "", face, width, _SPOKEN_LINES):
        draw.text((left, y), line, fill=INK, font=face, anchor="lm")
        y += 20
