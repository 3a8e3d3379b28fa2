"""Room for pictures whose patches all look at each other in one run: twice the side takes sixteen times as much."""

from __future__ import annotations

import os

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import RgbImage
from vlm_ros.runtime.free_memory import SKIP_VARIABLE, available_bytes
from vlm_ros.runtime.score_memory import score_bytes


class PictureRoom:
    """For a vision encoder with so many ``heads``; it keeps the memory of the largest picture that it saw."""

    def __init__(self, heads: int) -> None:
        self._heads = heads
        self._taken_bytes = 0

    def check(self, rgb: RgbImage, patches: int) -> None:
        """``BadImage`` with advice where the scores of attention of ``rgb``, cut into ``patches``, would not fit."""
        needed_bytes = score_bytes(patches**2, self._heads)
        if needed_bytes <= self._taken_bytes:
            return
        free_bytes = available_bytes()
        short = free_bytes is not None and needed_bytes - self._taken_bytes > free_bytes
        if short and os.environ.get(SKIP_VARIABLE) != "1":
            raise BadImage(
                f"a picture of {rgb.shape[1]} x {rgb.shape[0]} pixels is {patches} patches, whose attention takes "
                f"about {needed_bytes / 1e9:.2f} GB, and {(free_bytes or 0) / 1e9:.2f} GB are free: make it smaller, "
                f"or the limits in preprocessor_config.json, end other programs, or set {SKIP_VARIABLE}=1 to try"
            )
        self._taken_bytes = needed_bytes
