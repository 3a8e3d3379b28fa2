"""How pictures are cut into slices, at the published sizes of MiniCPM-V 2.6."""

import numpy as np
import pytest

from vlm_ros.vision.slices import SlicePreprocessor

SETTINGS = {"max_slice_nums": 9, "scale_resolution": 448, "patch_size": 14}
LEVELS = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}


@pytest.mark.parametrize(
    ("width", "height", "overview", "grid", "each"),
    [
        (100, 100, (32, 32), (0, 0), None),  # enlarged to 448 pixels
        (448, 448, (32, 32), (0, 0), None),
        (30, 20, (26, 39), (0, 0), None),  # 365 of 14 are 26.1, 547 are 39.1
        (640, 480, (28, 37), (1, 2), (39, 26)),  # 1.5 times 448 squared: of 1 x 2 to 1 x 3, 2:1 is nearest to 4:3
        (480, 640, (37, 28), (2, 1), (26, 39)),
        (1280, 720, (24, 43), (2, 3), (29, 35)),  # 4.6 times: of 4, 5 and 6 slices, 3:2 is nearest to 16:9
        (1920, 1080, (24, 43), (2, 4), (34, 30)),  # 10.3 times, at most 9: of 8 and 9, 4:2 is
        (1344, 1344, (32, 32), (3, 3), (32, 32)),  # 9 times
        (3000, 300, (10, 101), (1, 6), (25, 41)),
    ],
)
def test_picture_is_cut_by_its_area_and_shape(width, height, overview, grid, each):
    picture = SlicePreprocessor({**SETTINGS, **LEVELS}, block_patches=1)(np.zeros((height, width, 3), np.uint8))
    assert picture.overview.grid == overview
    assert picture.overview.pixel_values.shape == (1, overview[0] * overview[1], 3 * 14 * 14)
    assert picture.grid == grid
    assert (picture.slices and picture.slices.grid) == each
    assert picture.slices is None or len(picture.slices.pixel_values) == grid[0] * grid[1]


def test_fewer_slices_are_cut_when_the_file_says_so():
    picture = SlicePreprocessor({**SETTINGS, **LEVELS, "max_slice_nums": 1}, block_patches=1)
    assert picture(np.zeros((1080, 1920, 3), np.uint8)).slices is None
