"""Processors that cut pictures, where the file says not to resize them; what the reference does is in test/parity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from pictures import scene

from vlm_ros.core.errors import BadBundle
from vlm_ros.vision.slices import SlicePreprocessor
from vlm_ros.vision.stretched import StretchedTiles

LEVELS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


@pytest.mark.parametrize(
    ("processor", "settings", "said"),
    [
        (SlicePreprocessor, {}, "whole blocks of 56 pixels; change the file"),
        (
            SlicePreprocessor,
            {"slice_mode": False, "patch_size": 4, "downsample_mode": "4x"},
            "whole blocks of 8 pixels",
        ),
        (StretchedTiles, {"max_patches": 1}, "the only tile"),
    ],
)
@pytest.mark.parametrize("value", [False, None])
def test_own_size_is_refused_by_name_where_it_would_be_used(
    processor: Callable[[Mapping[str, Any]], Any], settings: dict[str, Any], said: str, value: object
) -> None:
    processor({**LEVELS, **settings})
    with pytest.raises(BadBundle, match=f"'do_resize': {value!r}, .*{said}"):
        processor({**LEVELS, **settings, "do_resize": value})


def test_tiles_are_stretched_whatever_the_file_says() -> None:
    settings = {"size": {"height": 16, "width": 16}, "max_patches": 6, **LEVELS}
    rgb = scene(20, 30)
    np.testing.assert_array_equal(StretchedTiles({**settings, "do_resize": False})(rgb), StretchedTiles(settings)(rgb))
