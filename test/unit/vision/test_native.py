"""Pictures near their own size or in tiles, as LFM2-VL's image processor makes them with torchvision."""

from __future__ import annotations

import json

import native_golden
import numpy as np
import pytest
from PIL import Image

from vlm_ros.core.errors import BadBundle, BadImage
from vlm_ros.vision.fixed_point import resized_in_fixed_point
from vlm_ros.vision.native import NativePreprocessor

PUBLISHED = native_golden.CONFIGS["published"]
GOLDEN = [
    (config, picture, digest)
    for config, digests in json.loads(native_golden.FILE.read_text()).items()
    for picture, digest in digests.items()
]


@pytest.mark.parametrize(("config", "picture", "digest"), GOLDEN)
def test_pixels_are_the_reference_processors(config, picture, digest):
    made = NativePreprocessor(native_golden.CONFIGS[config])(native_golden.PICTURES[picture])
    pixels = np.concatenate([group.pixel_values.reshape(-1, group.pixel_values.shape[-1]) for group in made.groups])
    grids = np.concatenate([[group.grid] * len(group.pixel_values) for group in made.groups])
    assert native_golden.digest(pixels, grids) == digest


def test_weights_of_fewer_bits_show_where_a_picture_shrinks():
    rgb = native_golden.PICTURES["upright"]
    ours = resized_in_fixed_point(rgb, (400, 300)).astype(int)
    pillows = np.asarray(Image.fromarray(rgb).resize((300, 400), Image.Resampling.BILINEAR)).astype(int)
    assert 0 < np.abs(ours - pillows).max() <= 2


@pytest.mark.parametrize("shape", [(1, 70_000), (70_000, 1), (2, 20_000)])
def test_picture_is_refused_when_it_is_too_narrow(shape):
    with pytest.raises(BadImage, match=f"{shape[1]} x {shape[0]} pixels is too narrow"):
        NativePreprocessor(PUBLISHED)(np.zeros((*shape, 3), np.uint8))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"resample": 3}, r"'resample': 3.*2 \(bilinear\)"),
        ({"min_tiles": 12}, "min_tiles 12, max_tiles 10"),
        ({"tile_size": 500}, "tile_size 500: .*whole blocks of 32"),
        ({"max_image_tokens": "many"}, "'max_image_tokens': 'many', expected a number"),
        ({"max_pixels_tolerance": "much"}, "'max_pixels_tolerance': 'much', expected a number"),
        ({"use_thumbnail": "false"}, "'use_thumbnail': 'false', expected true or false"),
        ({"do_flip": True}, "'do_flip': True, this step is not supported"),
    ],
)
def test_setting_that_cannot_be_honoured_is_named(change, said):
    with pytest.raises(BadBundle, match=said):
        NativePreprocessor({**PUBLISHED, **change})
