"""Several runs on one page."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from vlm_ros.evaluation.plan import PAPER

_GAP_PX = 8


def sheet_of(pictures: Sequence[Image.Image], columns: int = 4) -> Image.Image:
    """``pictures``, at least one and all of one width, in rows of ``columns``."""
    rows = [pictures[first : first + columns] for first in range(0, len(pictures), columns)]
    heights = [max(picture.height for picture in row) + _GAP_PX for row in rows]
    width = (pictures[0].width + _GAP_PX) * min(columns, len(pictures)) - _GAP_PX
    page = Image.new("RGB", (width, sum(heights) - _GAP_PX), PAPER)
    for number, row in enumerate(rows):
        for column, picture in enumerate(row):
            page.paste(picture, (column * (picture.width + _GAP_PX), sum(heights[:number])))
    return page
