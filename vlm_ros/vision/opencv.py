"""The one door to OpenCV, opened when an image needs it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import require
from vlm_ros.core.frame import RgbImage

INSTALL = "sudo apt install python3-opencv  (or: pip install opencv-python-headless)"


def converted(pixels: NDArray[np.uint8], code: str) -> RgbImage:
    """``pixels`` through ``cv2.cvtColor`` with the colour code of that name."""
    cv2 = require("cv2", INSTALL)
    rgb: RgbImage = cv2.cvtColor(np.ascontiguousarray(pixels), getattr(cv2, code))
    return rgb
