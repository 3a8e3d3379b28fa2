"""Real ``sensor_msgs`` messages to frames and back, with cv_bridge working, broken, lying and absent."""

from __future__ import annotations

import sys
import types
from collections.abc import Iterator
from io import BytesIO

import numpy as np
import pytest

pytest.importorskip("sensor_msgs")
cv2 = pytest.importorskip("cv2")

from builtin_interfaces.msg import Time  # noqa: E402
from PIL import Image as PillowImage  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402

from vlm_ros.core.errors import BadImage  # noqa: E402
from vlm_ros.ros import images  # noqa: E402

RGB = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)
STAMP = Time(sec=1_700_000_001, nanosec=999_999_999)


def bayer_message(padding: int = 0) -> Image:
    message = Image(height=48, width=64, encoding="bayer_rggb8", step=64 + padding)
    message.data.frombytes(np.pad(RGB[..., 0], ((0, 0), (0, padding))).tobytes())
    message.header.stamp = STAMP
    message.header.frame_id = "camera_optical"
    return message


class WorkingBridge:
    """Converts what the tests send as cv_bridge does, and counts."""

    codes = {
        "yuv422": "COLOR_YUV2RGB_UYVY", "yuv422_yuy2": "COLOR_YUV2RGB_YUY2",
        "bayer_rggb8": "COLOR_BayerBG2RGB", "bayer_bggr8": "COLOR_BayerRG2RGB",
        "bayer_gbrg8": "COLOR_BayerGR2RGB", "bayer_grbg8": "COLOR_BayerGB2RGB",
    }  # fmt: skip
    calls = 0

    def imgmsg_to_cv2(self, message: Image, desired_encoding: str) -> np.ndarray:
        assert desired_encoding == "rgb8"
        type(self).calls += 1
        pixels = np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, -1)
        return cv2.cvtColor(pixels, getattr(cv2, self.codes[message.encoding]))


class BrokenBridge(WorkingBridge):
    """Fails as releases do that do not match OpenCV or NumPy."""

    def imgmsg_to_cv2(self, message: Image, desired_encoding: str) -> np.ndarray:
        raise KeyError(f"no type for {message.encoding} as {desired_encoding}")


class LyingBridge(WorkingBridge):
    """Swaps red and blue for one of the encodings."""

    def imgmsg_to_cv2(self, message: Image, desired_encoding: str) -> np.ndarray:
        rgb = super().imgmsg_to_cv2(message, desired_encoding)
        return rgb[..., ::-1] if message.encoding == "bayer_gbrg8" else rgb


@pytest.fixture(autouse=True)
def probe_again() -> Iterator[None]:
    images.cv_bridge.cache_clear()
    yield
    images.cv_bridge.cache_clear()


def install(monkeypatch: pytest.MonkeyPatch, bridge: type | None) -> None:
    module = None
    if bridge is not None:
        module = types.ModuleType("cv_bridge")
        module.CvBridge = bridge
        bridge.calls = 0
    monkeypatch.setitem(sys.modules, "cv_bridge", module)


@pytest.mark.parametrize("bridge", [None, BrokenBridge, LyingBridge])
def test_pixels_are_the_same_without_cv_bridge_when_it_does_not_work(monkeypatch, bridge) -> None:
    install(monkeypatch, bridge)
    without = images.frame_from_image(bayer_message()).rgb
    assert images.cv_bridge() is None
    images.cv_bridge.cache_clear()
    install(monkeypatch, WorkingBridge)
    np.testing.assert_array_equal(images.frame_from_image(bayer_message()).rgb, without)


def test_cv_bridge_is_asked_when_it_works(monkeypatch) -> None:
    install(monkeypatch, WorkingBridge)
    images.cv_bridge()
    probed = WorkingBridge.calls
    images.frame_from_image(bayer_message())
    assert WorkingBridge.calls == probed + 1


@pytest.mark.parametrize("message", [bayer_message(padding=3), images.image_from_rgb(RGB, STAMP, "camera")])
def test_cv_bridge_is_not_asked_when_it_would_skew_or_copy(monkeypatch, message: Image) -> None:
    install(monkeypatch, WorkingBridge)
    images.cv_bridge()
    probed = WorkingBridge.calls
    images.frame_from_image(message)
    assert WorkingBridge.calls == probed


def test_stamp_and_frame_are_exact() -> None:
    frame = images.frame_from_image(bayer_message())
    assert (frame.stamp_ns, frame.frame_id) == (1_700_000_001_999_999_999, "camera_optical")


def test_pixels_return_unchanged_and_uncopied_when_rgb() -> None:
    message = images.image_from_rgb(RGB, STAMP, "camera")
    frame = images.frame_from_image(message)
    np.testing.assert_array_equal(frame.rgb, RGB)
    assert np.shares_memory(frame.rgb, np.frombuffer(message.data, np.uint8))
    assert (frame.stamp_ns, frame.frame_id) == (1_700_000_001_999_999_999, "camera")


def test_message_is_right_when_made_from_a_view() -> None:
    message = images.image_from_rgb(RGB[:, ::-1], STAMP, "camera")
    assert (message.height, message.width, message.step, message.encoding) == (48, 64, 192, "rgb8")
    np.testing.assert_array_equal(images.frame_from_image(message).rgb, RGB[:, ::-1])


def test_compressed_message_becomes_a_frame() -> None:
    file = BytesIO()
    PillowImage.fromarray(RGB).save(file, "PNG")
    message = CompressedImage(format="rgb8; png compressed bgr8")
    message.data.frombytes(file.getvalue())
    message.header.stamp = STAMP
    message.header.frame_id = "camera"
    frame = images.frame_from_compressed(message)
    np.testing.assert_array_equal(frame.rgb, RGB)
    assert (frame.stamp_ns, frame.frame_id) == (1_700_000_001_999_999_999, "camera")


@pytest.mark.parametrize("bridge", [None, WorkingBridge])
def test_bad_image_when_the_message_contradicts_itself(monkeypatch, bridge) -> None:
    install(monkeypatch, bridge)
    message = bayer_message()
    message.height = 49
    with pytest.raises(BadImage, match="49 rows of 64 bytes are 3136 bytes"):
        images.frame_from_image(message)


def test_bad_image_when_a_message_is_empty() -> None:
    with pytest.raises(BadImage, match="unknown image encoding ''"):
        images.frame_from_image(Image())
    with pytest.raises(BadImage, match="0 bytes"):
        images.frame_from_compressed(CompressedImage())
