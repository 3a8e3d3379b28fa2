"""Pictures at the resolution that suits them; their pixels are compared in test/parity."""

from __future__ import annotations

import re

import pytest
from pictures import scene

from vlm_ros.core.errors import BadBundle
from vlm_ros.vision.anyres import AnyResolution

SMALL = {
    "size": {"height": 16, "width": 16}, "image_grid_pinpoints": [[16, 32], [32, 16], [32, 48]],
    "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5],
}  # fmt: skip


@pytest.mark.parametrize(
    ("shape", "grid"), [((10, 20), (1, 2)), ((20, 10), (2, 1)), ((30, 45), (2, 3)), ((300, 200), (2, 3))]
)
def test_overview_and_tiles_are_of_the_best_resolution(shape, grid):
    tiles, found = AnyResolution(SMALL)(scene(*shape))
    assert found == grid
    assert tiles.shape == (1 + grid[0] * grid[1], 3, 16, 16)


@pytest.mark.parametrize("pinpoint", [[16, 40], [40, 16], [0, 16], [16, 16, 16], 16, [16.0, 32.0], ["16", "32"], None])
def test_resolution_that_is_not_of_whole_tiles_is_named(pinpoint):
    settings = {**SMALL, "image_grid_pinpoints": [[16, 32], pinpoint]}
    with pytest.raises(BadBundle, match=re.escape(f"{pinpoint!r} among 'image_grid_pinpoints'") + ".* tiles of 16"):
        AnyResolution(settings)


@pytest.mark.parametrize("pinpoints", [None, [], "(1x1),...,(6x6)"])
def test_file_without_resolutions_is_refused(pinpoints):
    with pytest.raises(BadBundle, match="expected a list of heights and widths"):
        AnyResolution({**SMALL, "image_grid_pinpoints": pinpoints})
