"""The pixels that cv_bridge would give: the same OpenCV calls, made here by hand."""

from __future__ import annotations

import numpy as np
import pytest
from pictures import patterned

from vlm_ros.vision.encodings import RawImage, rgb_from_raw

cv2 = pytest.importorskip("cv2")

CALLS = {
    "bgr8": (3, "COLOR_BGR2RGB"),
    "rgba8": (4, "COLOR_RGBA2RGB"),
    "bgra8": (4, "COLOR_BGRA2RGB"),
    "mono8": (1, "COLOR_GRAY2RGB"),
    "yuv422": (2, "COLOR_YUV2RGB_UYVY"),
    "yuv422_yuy2": (2, "COLOR_YUV2RGB_YUY2"),
    "bayer_rggb8": (1, "COLOR_BayerBG2RGB"),
    "bayer_bggr8": (1, "COLOR_BayerRG2RGB"),
    "bayer_gbrg8": (1, "COLOR_BayerGR2RGB"),
    "bayer_grbg8": (1, "COLOR_BayerGB2RGB"),
}


@pytest.mark.parametrize("encoding", CALLS)
def test_pixels_equal_cv_bridge_when_content_varies(encoding: str) -> None:
    channels, code = CALLS[encoding]
    samples = np.ascontiguousarray(patterned(48, 64 * channels)[..., 1].reshape(48, 64, channels))
    raw = RawImage(encoding, 64, 48, 64 * channels, False, samples.tobytes())
    np.testing.assert_array_equal(rgb_from_raw(raw), cv2.cvtColor(samples, getattr(cv2, code)))


def test_mono16_equals_cv_bridge_when_every_level_occurs() -> None:
    levels = np.arange(65536, dtype="<u2").reshape(256, 256)
    raw = RawImage("mono16", 256, 256, 512, False, levels.tobytes())
    # cv_bridge scales with convertTo and the factor 255 / 65535; this is the same in OpenCV's Python.
    expected = cv2.cvtColor(cv2.convertScaleAbs(levels, alpha=255 / 65535), cv2.COLOR_GRAY2RGB)
    np.testing.assert_array_equal(rgb_from_raw(raw), expected)
