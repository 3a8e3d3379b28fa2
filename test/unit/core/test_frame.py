"""What is no picture does not become a frame."""

from __future__ import annotations

import numpy as np
import pytest

from vlm_ros.core.errors import BadImage
from vlm_ros.core.frame import Frame


@pytest.mark.parametrize(
    ("rgb", "said"),
    [
        (np.zeros((9, 8), np.uint8), r"shape \(9, 8\) and type uint8"),
        (np.zeros((9, 8, 4), np.uint8), r"shape \(9, 8, 4\)"),
        (np.zeros((0, 8, 3), np.uint8), r"shape \(0, 8, 3\)"),
        (np.zeros((9, 8, 3), np.float32), "type float32"),
        ([[1]], "shape None and type list"),
    ],
)
def test_picture_is_refused_with_what_it_is_and_what_it_should_be(rgb: object, said: str) -> None:
    with pytest.raises(BadImage, match=f"{said}.* is none: give pixels of shape"):
        Frame(rgb)  # type: ignore[arg-type]


def test_views_and_read_only_pictures_are_frames() -> None:
    rgb = np.zeros((9, 8, 3), np.uint8)
    rgb.flags.writeable = False
    assert Frame(rgb[::-2, ::2]).rgb.shape == (5, 4, 3)
