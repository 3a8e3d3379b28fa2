"""Pictures from files, as a person sees them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pictures import patterned
from PIL import Image

from vlm_ros.core.errors import BadImage
from vlm_ros.vision.loading import frame_from_file

RGB = patterned(12, 16)


def test_pixels_are_exact_when_png(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "a.png")
    np.testing.assert_array_equal(frame_from_file(tmp_path / "a.png").rgb, RGB)


def test_picture_stands_upright_when_exif_turns_it(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RGB).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(frame_from_file(tmp_path / "a.png").rgb, np.rot90(RGB, -1))


def test_transparent_lies_on_white(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    Image.fromarray(rgba).save(tmp_path / "a.png")
    assert frame_from_file(tmp_path / "a.png").rgb.min() == 255


def test_transparent_level_of_16_bit_grey_lies_on_white(tmp_path: Path) -> None:
    grey = np.arange(200, dtype=np.uint16).reshape(10, 20) * 257
    Image.fromarray(grey).save(tmp_path / "a.png", transparency=7 * 257)
    levels = np.arange(200).reshape(10, 20)
    np.testing.assert_array_equal(frame_from_file(tmp_path / "a.png").rgb[..., 0], np.where(levels == 7, 255, levels))


@pytest.mark.parametrize("white", [1, 255])
def test_numbers_become_levels_whether_white_is_1_or_255(tmp_path: Path, white: int) -> None:
    levels = np.arange(256, dtype=np.float32).reshape(16, 16)
    overshot = levels / 255 * white + np.float32(1e-6)
    Image.fromarray(overshot).save(tmp_path / "a.tif")
    np.testing.assert_array_equal(frame_from_file(tmp_path / "a.tif").rgb, np.dstack([levels] * 3))


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ([0.5, np.nan], "NaN"),
        ([0.5, np.inf], "NaN or infinite"),
        ([0, 5000], "numbers from 0 to 5000, and pixels are read from 0 to 1 or from 0 to 255"),
        ([-1, 1], "numbers from -1 to 1"),
        ([0, 1.5], "numbers from 0 to 1.5"),
    ],
)
def test_numbers_that_are_no_levels_are_refused(tmp_path: Path, numbers: list[float], said: str) -> None:
    Image.fromarray(np.array([numbers], np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(BadImage, match=f"a.tif' holds {said}"):
        frame_from_file(tmp_path / "a.tif")


def test_path_is_named_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="nothing.png"):
        frame_from_file(tmp_path / "nothing.png")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_path_is_named_when_it_is_no_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadImage, match="a.png"):
        frame_from_file(path)
