"""Every encoding by its definition, and every message that contradicts itself."""

from __future__ import annotations

import array
from dataclasses import replace

import numpy as np
import pytest
from pictures import patterned

from vlm_ros.core.errors import BadImage
from vlm_ros.vision.encodings import ENCODINGS, RawImage, rgb_from_raw

RGB = patterned(6, 8)
GREY = np.repeat(RGB[..., :1], 3, axis=2)


def raw(encoding: str, samples: np.ndarray, *, padding: int = 0, big_endian: bool = False) -> RawImage:
    """A message that holds ``samples`` of shape (height, width, ...), with ``padding`` bytes after each row."""
    rows = np.frombuffer(samples.tobytes(), np.uint8).reshape(samples.shape[0], -1)
    padded = np.pad(rows, ((0, 0), (0, padding)), constant_values=99)
    data = array.array("B", padded.tobytes())
    return RawImage(encoding, samples.shape[1], samples.shape[0], padded.shape[1], big_endian, data)


def with_alpha(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, np.full(pixels.shape[:2], 7, np.uint8)])


PACKED = {
    "rgb8": (RGB, RGB),
    "bgr8": (RGB[..., ::-1], RGB),
    "8UC3": (RGB[..., ::-1], RGB),
    "rgba8": (with_alpha(RGB), RGB),
    "bgra8": (with_alpha(RGB[..., ::-1]), RGB),
    "mono8": (GREY[..., 0], GREY),
    "8UC1": (GREY[..., 0], GREY),
}


@pytest.mark.parametrize("padding", [0, 1, 5])
@pytest.mark.parametrize("encoding", PACKED)
def test_pixels_are_right_without_a_copy_when_packed(encoding: str, padding: int) -> None:
    samples, expected = PACKED[encoding]
    message = raw(encoding, samples, padding=padding)
    rgb = rgb_from_raw(message)
    np.testing.assert_array_equal(rgb, expected)
    assert np.shares_memory(rgb, np.frombuffer(message.data, np.uint8))


@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize("big_endian", [False, True])
def test_mono16_is_scaled_to_the_nearest_level_when_either_endian(big_endian: bool, padding: int) -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    samples = levels.astype(">u2" if big_endian else "<u2")
    rgb = rgb_from_raw(raw("mono16", samples, padding=padding, big_endian=big_endian))
    expected = np.rint(levels / 257).astype(np.uint8)
    np.testing.assert_array_equal(rgb, np.repeat(expected[..., None], 3, axis=2))


def test_endianness_changes_nothing_when_samples_are_bytes() -> None:
    message = raw("rgb8", RGB)
    np.testing.assert_array_equal(rgb_from_raw(replace(message, big_endian=True)), RGB)


def uniform_yuv(y: int, u: int, v: int, order: str, height: int = 4, width: int = 6) -> np.ndarray:
    values = {"y": y, "u": u, "v": v}
    pair = np.array([values[letter] for letter in order], np.uint8).reshape(2, 2)
    return np.tile(pair, (height, width // 2, 1))


@pytest.mark.parametrize(
    ("encoding", "order"), [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")]
)
@pytest.mark.parametrize("padding", [0, 3])
@pytest.mark.parametrize(("yuv", "expected"), [((81, 90, 240), (255, 0, 0)), ((41, 240, 110), (0, 0, 255))])
def test_yuv422_gives_the_colours_of_bt601(encoding: str, order: str, padding: int, yuv, expected) -> None:
    pytest.importorskip("cv2")
    rgb = rgb_from_raw(raw(encoding, uniform_yuv(*yuv, order), padding=padding))
    assert rgb.shape == (4, 6, 3)
    np.testing.assert_allclose(rgb, np.broadcast_to(expected, rgb.shape), atol=3)


@pytest.mark.parametrize(("encoding", "order"), [("nv12", "uv"), ("nv21", "vu")])
@pytest.mark.parametrize("padding", [0, 5])
def test_nv_planes_give_the_colours_of_bt601(encoding: str, order: str, padding: int) -> None:
    pytest.importorskip("cv2")
    chroma = [{"u": 90, "v": 240}[letter] for letter in order]
    planes = np.vstack([np.full((4, 6), 81, np.uint8), np.tile(np.array(chroma, np.uint8), (2, 3))])
    message = replace(raw(encoding, planes, padding=padding), height_px=4)
    rgb = rgb_from_raw(message)
    assert rgb.shape == (4, 6, 3)
    np.testing.assert_allclose(rgb, np.broadcast_to((255, 0, 0), rgb.shape), atol=3)


@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("padding", [0, 3])
def test_bayer_finds_the_colour_when_the_whole_mosaic_is_one(pattern: str, padding: int) -> None:
    pytest.importorskip("cv2")
    colour = {"r": 200, "g": 90, "b": 10}
    cell = np.array([colour[letter] for letter in pattern], np.uint8).reshape(2, 2)
    rgb = rgb_from_raw(raw(f"bayer_{pattern}8", np.tile(cell, (4, 5)), padding=padding))
    np.testing.assert_array_equal(rgb, np.broadcast_to((200, 90, 10), (8, 10, 3)))


def test_everything_known_is_listed_when_the_encoding_is_unknown() -> None:
    with pytest.raises(BadImage, match="rgb9") as error:
        rgb_from_raw(replace(raw("rgb8", RGB), encoding="rgb9"))
    assert all(name in str(error.value) for name in ENCODINGS)


@pytest.mark.parametrize(
    ("encoding", "changes", "reason"),
    [
        ("rgb8", {"width_px": 0}, "no pixels"),
        ("rgb8", {"height_px": 0}, "no pixels"),
        ("rgb8", {"step_bytes": 23}, "a row needs at least 24 bytes"),
        ("rgb8", {"step_bytes": 25}, "6 rows of 25 bytes are 150 bytes"),
        ("rgb8", {"height_px": 7}, "7 rows of 24 bytes are 168 bytes"),
        ("rgb8", {"height_px": 5}, "5 rows of 24 bytes are 120 bytes"),
        ("rgb8", {"data": b""}, "6 rows of 24 bytes are 144 bytes"),
        ("rgb8", {"width_px": 4294967295, "height_px": 4294967295}, "at least 12884901885 bytes"),
        ("mono16", {"width_px": 13}, "at least 26 bytes"),
        ("yuv422", {"width_px": 7}, "multiples of 2 and 1"),
        ("nv12", {"height_px": 5}, "multiples of 2 and 2"),
        ("nv12", {"height_px": 6}, "9 rows of 24 bytes are 216 bytes"),
    ],
)
def test_every_number_is_named_when_sizes_contradict_each_other(encoding: str, changes: dict, reason: str) -> None:
    message = replace(raw("rgb8", RGB), encoding=encoding, **changes)
    with pytest.raises(BadImage, match=reason) as error:
        rgb_from_raw(message)
    for number in (message.width_px, message.height_px, message.step_bytes, message.data_bytes):
        assert str(number) in str(error.value)
