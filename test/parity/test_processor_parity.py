"""Preprocessing against the processors in transformers themselves, where they are installed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from vlm_ros.core.errors import BadBundle
from vlm_ros.vision.anyres import AnyResolution
from vlm_ros.vision.preprocessing import Preprocessor
from vlm_ros.vision.slices import SlicePreprocessor
from vlm_ros.vision.stretched import StretchedTiles

pytest.importorskip("transformers")
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "vision"))
import golden  # noqa: E402
import pictures  # noqa: E402

INTERNVL = {
    "image_processor_type": "GotOcr2ImageProcessor", "crop_to_patches": False, "min_patches": 1, "max_patches": 12,
    "do_resize": True, "size": {"height": 448, "width": 448}, "resample": 3, "do_convert_rgb": True,
    "do_rescale": True, "rescale_factor": 1 / 255, "do_normalize": True,
    "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
}  # fmt: skip
TILES = {
    (448, 448): 1, (300, 310): 1, (700, 700): 5, (480, 640): 13, (640, 480): 13, (720, 1280): 9, (1080, 1920): 9,
    (37, 41): 1, (100, 1500): 13, (901, 300): 4, (200, 1001): 6,
}  # fmt: skip
"""How many tiles InternVL looks at in pictures of some (height, width), the whole included."""


def noise(height: int, width: int) -> np.ndarray:
    """Pixels that have nothing to do with each other."""
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("picture", golden.PICTURES)
@pytest.mark.parametrize("config", golden.CONFIGS)
def test_bits_equal_the_processor(config: str, picture: str) -> None:
    content, rgb = golden.CONFIGS[config], golden.PICTURES[picture]
    np.testing.assert_array_equal(Preprocessor.from_json(content)(rgb), golden.reference(content, rgb))


def test_comparison_fails_when_the_filter_differs() -> None:
    content, rgb = golden.CONFIGS["clip"], golden.PICTURES["camera"]
    other = Preprocessor.from_json({**content, "resample": 2})(rgb)
    assert np.abs(other - golden.reference(content, rgb)).max() > 0.01


def internvl(settings: dict[str, Any], rgb: np.ndarray) -> np.ndarray:
    """What InternVL's image processor makes of ``rgb`` when InternVL's processor asks it."""
    from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
    from transformers.models.internvl.processing_internvl import InternVLProcessor

    made = GotOcr2ImageProcessorPil(**settings)(Image.fromarray(rgb), **InternVLProcessor.images_kwargs)
    return np.asarray(made["pixel_values"], np.float32)


@pytest.mark.parametrize("kind", [pictures.scene, pictures.patterned, noise])
@pytest.mark.parametrize("shape", TILES)
def test_tiles_are_internvls(shape: tuple[int, int], kind: Callable[[int, int], np.ndarray]) -> None:
    rgb = kind(*shape)
    ours = StretchedTiles(INTERNVL)(rgb)
    np.testing.assert_array_equal(ours, internvl(INTERNVL, rgb))
    assert len(ours) == TILES[shape]


@pytest.mark.parametrize("least", [1, 3, 7])
@pytest.mark.parametrize("most", [1, 4, 6])
def test_tiles_are_internvls_when_their_number_is_set(least: int, most: int) -> None:
    settings = {**INTERNVL, "size": {"height": 28, "width": 28}, "min_patches": least, "max_patches": most}
    for height, width in ((20, 90), (90, 20), (48, 64), (56, 56), (400, 401)):
        rgb = noise(height, width)
        np.testing.assert_array_equal(StretchedTiles(settings)(rgb), internvl(settings, rgb))


def test_tiles_are_internvls_when_its_file_says_not_to_resize() -> None:
    settings, rgb = {**INTERNVL, "do_resize": False}, noise(300, 500)
    np.testing.assert_array_equal(StretchedTiles(settings)(rgb), internvl(settings, rgb))


@pytest.mark.parametrize("resizes", [True, False])
def test_tiles_are_llava_onevisions_whether_or_not_its_file_says_to_resize(resizes: bool) -> None:
    from transformers.models.llava_onevision import image_processing_pil_llava_onevision as reference

    settings = {
        "do_resize": resizes, "size": {"height": 48, "width": 48},
        "image_grid_pinpoints": [[48, 96], [96, 48], [96, 96]],
        "image_mean": [0.5, 0.4, 0.3], "image_std": [0.2, 0.3, 0.4],
    }  # fmt: skip
    for height, width in ((60, 100), (100, 60), (30, 31), (400, 401)):
        rgb = noise(height, width)
        processor = reference.LlavaOnevisionImageProcessorPil(**settings)
        expected = np.asarray(processor(Image.fromarray(rgb))["pixel_values"][0], np.float32)
        np.testing.assert_array_equal(AnyResolution(settings)(rgb)[0], expected)


def test_minicpm_v_reads_no_camera_at_its_own_size_either() -> None:
    """So that a file that says not to resize is refused by name."""
    from transformers.models.minicpmv4_6 import image_processing_pil_minicpmv4_6 as reference

    with pytest.raises(ValueError, match="reshape"):
        reference.MiniCPMV4_6ImageProcessorPil(do_resize=False)(Image.fromarray(noise(480, 640)))
    with pytest.raises(BadBundle, match="do_resize"):
        SlicePreprocessor({"do_resize": False, "image_mean": [0.5] * 3, "image_std": [0.5] * 3})


def test_comparison_of_tiles_fails_when_the_filter_differs() -> None:
    rgb = pictures.scene(480, 640)
    assert np.abs(StretchedTiles({**INTERNVL, "resample": 2})(rgb) - internvl(INTERNVL, rgb)).max() > 0.01
