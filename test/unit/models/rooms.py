"""Pictures of an empty grey room, or of one with a flat coloured disc: what the tiny CLIP was taught."""

from __future__ import annotations

import numpy as np

from vlm_ros.core.frame import Frame

COLOURS = {"red": (200, 40, 40), "green": (40, 160, 60), "blue": (50, 70, 200)}


def room(colour: str = "", across: float = 0.5, radius: float = 0.15, height: int = 240, width: int = 320) -> Frame:
    """A room with a disc at ``across`` of its width, whose ``radius`` is a share of the height."""
    noise = np.random.default_rng(0).normal(0, 6, (height, width, 3))
    rgb = np.linspace(120, 150, height)[:, None, None] + noise
    if colour:
        down_px, across_px = np.mgrid[0:height, 0:width]
        rgb[np.hypot(down_px - 0.6 * height, across_px - across * width) < radius * height] = COLOURS[colour]
    return Frame(rgb.clip(0, 255).astype(np.uint8), stamp_ns=7, frame_id="optical")
