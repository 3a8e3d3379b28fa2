"""Made-up pictures that show every kind of mistake: stripes, edges, noise, odd sizes."""

from __future__ import annotations

import numpy as np

from vlm_ros.core.frame import RgbImage


def patterned(height: int, width: int) -> RgbImage:
    """Every channel, row and column differ, so that swapped, skewed and shifted pixels show."""
    y, x, c = np.ogrid[:height, :width, :3]
    return ((x * 37 + y * 101 + c * 53 + (x * y) % 17) % 256).astype(np.uint8)


def stripes(height: int, width: int) -> RgbImage:
    """Black and white columns, the finest that there can be: what a filter does wrong shows at once."""
    columns = np.arange(width) % 2 * 255
    return np.broadcast_to(columns[None, :, None], (height, width, 3)).astype(np.uint8)


def scene(height: int, width: int) -> RgbImage:
    """A smooth background with a red disc and a green box, like a camera's view of a room."""
    y, x = np.ogrid[:height, :width]
    picture = np.empty((height, width, 3), np.uint8)
    picture[..., 0] = 255 * x // width
    picture[..., 1] = 255 * y // height
    picture[..., 2] = 255 * (x + y) // (width + height)
    picture[(x - width // 3) ** 2 + (y - height // 2) ** 2 < (min(height, width) // 4) ** 2] = (200, 30, 30)
    picture[height // 2 : height * 3 // 4, width // 2 :] = (20, 180, 60)
    return picture
