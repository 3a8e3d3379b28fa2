"""JPEG and PNG from cameras, and what is not."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from pictures import patterned, scene
from PIL import Image

from vlm_ros.core.errors import BadImage
from vlm_ros.vision.compressed import rgb_from_compressed

RGB = patterned(12, 16)


def encoded(pixels: np.ndarray, format: str, **options) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


@pytest.mark.parametrize("format", ["png", "rgb8; png compressed bgr8", "", "anything"])
def test_pixels_are_exact_when_png(format: str) -> None:
    np.testing.assert_array_equal(rgb_from_compressed(encoded(RGB, "PNG"), format), RGB)


@pytest.mark.parametrize("format", ["jpeg", "rgb8; jpeg compressed bgr8", "bgr8; jpeg compressed bgr8"])
def test_pixels_are_close_when_jpeg(format: str) -> None:
    picture = scene(48, 64)
    rgb = rgb_from_compressed(encoded(picture, "JPEG", quality=95, subsampling=0), format)
    assert np.abs(rgb.astype(int) - picture).mean() < 2


def test_red_and_blue_change_places_when_stored_red_first() -> None:
    rgb = rgb_from_compressed(encoded(RGB, "PNG"), "rgb8; png compressed rgb8")
    np.testing.assert_array_equal(rgb, RGB[..., ::-1])


def test_alpha_is_dropped_when_there_is_one() -> None:
    rgba = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    np.testing.assert_array_equal(rgb_from_compressed(encoded(rgba, "PNG"), "png"), RGB)


def test_grey_is_repeated_when_one_channel() -> None:
    rgb = rgb_from_compressed(encoded(RGB[..., 0], "PNG"), "mono8; png compressed ")
    np.testing.assert_array_equal(rgb, np.repeat(RGB[..., :1], 3, axis=2))


def test_levels_are_scaled_when_png_has_16_bits() -> None:
    levels = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)
    rgb = rgb_from_compressed(encoded(levels, "PNG"), "mono16; png compressed ")
    np.testing.assert_array_equal(rgb[..., 1].ravel(), np.arange(256))


def test_picture_is_not_turned_when_exif_asks_for_it() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(scene(48, 64), "JPEG", exif=exif)
    assert rgb_from_compressed(data, "jpeg").shape == (48, 64, 3)


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.9])
def test_bad_image_when_data_is_cut(kind: str, kept: float) -> None:
    data = encoded(patterned(64, 64), kind)
    with pytest.raises(BadImage, match="compressed image"):
        rgb_from_compressed(data[: int(len(data) * kept)], kind.lower())


@pytest.mark.parametrize("data", [b"", b"\0" * 5000, b"\xff\xd8\xff" + b"\x55" * 300, bytes(range(256)) * 8])
def test_bad_image_when_data_is_garbage(data: bytes) -> None:
    with pytest.raises(BadImage, match=f"{len(data)} bytes"):
        rgb_from_compressed(data, "jpeg")


def test_bad_image_when_a_png_byte_flips() -> None:
    data = bytearray(encoded(patterned(64, 64), "PNG"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(BadImage, match="cannot be decoded"):
        rgb_from_compressed(bytes(data), "png")


def test_bad_image_before_memory_is_taken_when_the_size_is_absurd() -> None:
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    data = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    with pytest.raises(BadImage):
        rgb_from_compressed(data + struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT")), "png")


def test_bad_image_when_another_file_type() -> None:
    with pytest.raises(BadImage, match="not JPEG or PNG"):
        rgb_from_compressed(encoded(RGB, "BMP"), "jpeg")


def test_refused_when_depth() -> None:
    with pytest.raises(BadImage, match="depth"):
        rgb_from_compressed(encoded(RGB, "PNG"), "16UC1; compressedDepth png")
