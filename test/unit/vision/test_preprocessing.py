"""Preprocessing against the reference's committed digests, and configs that cannot be honoured."""

from __future__ import annotations

import json
from typing import Any

import golden
import numpy as np
import pytest
from pictures import scene

from vlm_ros.core.errors import BadBundle, BadImage
from vlm_ros.vision.preprocessing import Preprocessor

DIGESTS = [
    (config, picture, digest)
    for config, digests in json.loads(golden.FILE.read_text()).items()
    for picture, digest in digests.items()
]
SIGLIP = golden.CONFIGS["siglip"]
CLIP = golden.CONFIGS["clip"]


@pytest.mark.parametrize(("config", "picture", "digest"), DIGESTS)
def test_bits_equal_the_reference(config: str, picture: str, digest: str) -> None:
    pixel_values = Preprocessor.from_json(golden.CONFIGS[config])(golden.PICTURES[picture])
    assert pixel_values.dtype == np.float32
    assert golden.digest(pixel_values) == digest


@pytest.mark.parametrize("view", [lambda rgb: rgb[..., ::-1], lambda rgb: rgb[:, ::-1], lambda rgb: rgb[::2, 1::3]])
def test_result_is_the_same_when_the_picture_is_a_view(view) -> None:
    picture = view(scene(96, 128))
    preprocess = Preprocessor.from_json(CLIP)
    np.testing.assert_array_equal(preprocess(picture), preprocess(np.ascontiguousarray(picture)))


def test_results_are_independent_when_called_again() -> None:
    preprocess = Preprocessor.from_json(SIGLIP)
    first = preprocess(scene(96, 128))
    kept = first.copy()
    preprocess(np.zeros((96, 128, 3), np.uint8))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize(("config", "size_px"), [("clip", (56, 56)), ("blip", (40, 64)), ("siglip", (48, 48))])
def test_size_is_known_when_every_result_has_it(config: str, size_px: tuple[int, int]) -> None:
    preprocess = Preprocessor.from_json(golden.CONFIGS[config])
    assert preprocess.size_px == size_px
    assert preprocess(scene(30, 50)).shape == (1, 3, *size_px)


def test_size_is_unknown_when_it_depends_on_the_picture() -> None:
    assert Preprocessor.from_json(golden.CONFIGS["siglip_without_resize"]).size_px is None


@pytest.mark.parametrize(
    ("kind", "shape"), [("CLIPFeatureExtractor", (1, 3, 20, 30)), ("ViTFeatureExtractor", (1, 3, 20, 20))]
)
def test_one_number_means_what_the_processor_means(kind: str, shape: tuple[int, ...]) -> None:
    config = {**golden.HALF, "feature_extractor_type": kind, "size": 20, "do_center_crop": False}
    assert Preprocessor.from_json(config)(scene(40, 60)).shape == shape


@pytest.mark.parametrize("kind", ["CLIPFeatureExtractor", "CLIPImageProcessorFast", "ChineseCLIPImageProcessor"])
def test_clip_crops_where_its_file_says_nothing_of_it(kind: str) -> None:
    key = "feature_extractor_type" if kind.endswith("Extractor") else "image_processor_type"
    settings = {**golden.CONFIGS["clip_by_default"], "image_processor_type": None, key: kind}
    expected = Preprocessor.from_json(golden.CONFIGS["clip_by_default"])(scene(96, 128))
    np.testing.assert_array_equal(Preprocessor.from_json(settings)(scene(96, 128)), expected)
    assert Preprocessor.from_json(settings).size_px == (224, 224)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"do_pad": True}, "do_pad"),
        ({"do_image_splitting": True}, "do_image_splitting"),
        ({"image_grid_pinpoints": [[336, 672]]}, "image_grid_pinpoints"),
        ({"size": {"longest_edge": 980}}, "longest_edge"),
        ({"size": {"shortest_edge": 20, "longest_edge": 30}}, "longest_edge"),
        ({"size": {"height": 0, "width": 5}}, "size"),
        ({"size": None}, "size"),
        ({"size": True}, "size"),
        ({"do_center_crop": True, "crop_size": {"shortest_edge": 20}}, "crop_size"),
        ({"image_processor_type": "CLIPImageProcessor", "crop_size": None}, "'crop_size': None"),
        ({"do_center_crop": True}, "crop_size"),
        ({"resample": 9}, "resample"),
        ({"resample": "bicubic"}, "resample"),
        ({"rescale_factor": "1/255"}, "rescale_factor"),
        ({"do_rescale": "false"}, "'do_rescale': 'false', expected true or false"),
        ({"do_resize": 0}, "'do_resize': 0, expected true or false"),
        ({"default_to_square": "false"}, "default_to_square"),
        ({"image_mean": [0.5]}, "image_mean"),
        ({"image_mean": None}, "image_mean"),
        ({"image_std": ["a", "b", "c"]}, "image_std"),
        ({"image_std": [0.5, 0, 0.5]}, "image_std"),
    ],
)
def test_key_is_named_when_it_cannot_be_honoured(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(BadBundle, match=named):
        Preprocessor.from_json({**SIGLIP, **changes})


def test_refused_when_a_sliver_would_fill_the_memory() -> None:
    with pytest.raises(BadImage, match="1 x 90000"):
        Preprocessor.from_json(CLIP)(np.zeros((90000, 1, 3), np.uint8))
