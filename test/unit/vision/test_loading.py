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


def test_path_is_named_when_there_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match="nothing.png"):
        frame_from_file(tmp_path / "nothing.png")


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n"])
def test_path_is_named_when_it_is_no_image(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    with pytest.raises(BadImage, match="a.png"):
        frame_from_file(path)
