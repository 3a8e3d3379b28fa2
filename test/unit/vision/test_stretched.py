"""Pictures stretched over tiles, as InternVL looks at them; their pixels are compared in test/parity."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import patterned, scene

from vlm_ros.core.errors import BadBundle, BadImage
from vlm_ros.vision.stretched import StretchedTiles

LEVELS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
SMALL = {"size": {"height": 16, "width": 16}, "max_patches": 6, **LEVELS}


@pytest.mark.parametrize(
    ("shape", "tiles"), [((16, 16), 1), ((32, 32), 5), ((20, 30), 7), ((30, 20), 7), ((10, 99), 7), ((48, 16), 4)]
)
def test_whole_follows_where_there_are_several_tiles(shape, tiles):
    assert StretchedTiles(SMALL)(scene(*shape)).shape == (tiles, 3, 16, 16)


def test_tiles_go_row_by_row():
    rgb = patterned(32, 48)
    tiles = StretchedTiles(SMALL)(rgb)
    for number, tile in enumerate(tiles[:6]):
        row, column = divmod(number, 3)
        cut = rgb[row * 16 : row * 16 + 16, column * 16 : column * 16 + 16]
        np.testing.assert_allclose(tile, cut.transpose(2, 0, 1) / 127.5 - 1, atol=1e-6)


def test_picture_is_one_tile_when_no_grid_has_the_wanted_number():
    assert len(StretchedTiles({**SMALL, "min_patches": 9})(scene(60, 90))) == 1


def test_picture_is_refused_when_its_tiles_would_fill_the_memory():
    huge = {**SMALL, "size": {"height": 9000, "width": 9000}}
    with pytest.raises(BadImage, match="30 x 20 pixels"):
        StretchedTiles(huge)(scene(20, 30))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": {"height": 16, "width": 32}}, "tiles are square"),
        ({"size": {"shortest_edge": 16}}, "'size': None, expected a number of pixels"),
        ({"size": [16, 16]}, r"'size': \[16, 16\], expected a number of pixels"),
        ({"max_patches": 0}, "'max_patches': 0, expected"),
        ({"do_flip": True}, "'do_flip': True, this step is not supported"),
    ],
)
def test_setting_that_cannot_be_honoured_is_named(change, said):
    with pytest.raises(BadBundle, match=said):
        StretchedTiles({**SMALL, **change})
