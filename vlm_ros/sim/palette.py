"""The colours objects have, kept apart in hue so that people and models can tell them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from vlm_ros.sim.scene import Rgb


@dataclass(frozen=True)
class ColorFacts:
    """Hue in degrees with its jitter to both sides; saturation and value in 0..1 as (low, high)."""

    hue_deg: float
    hue_jitter_deg: float
    saturation: tuple[float, float]
    value: tuple[float, float]

    def draw(self, rng: np.random.Generator) -> Rgb:
        """One shade of this colour."""
        hue = (self.hue_deg + rng.uniform(-1, 1) * self.hue_jitter_deg) % 360 / 360
        return colorsys.hsv_to_rgb(hue, rng.uniform(*self.saturation), rng.uniform(*self.value))


COLORS = {
    "red": ColorFacts(357, 4, (0.84, 0.94), (0.72, 0.86)),
    "orange": ColorFacts(26, 3, (0.88, 0.97), (0.92, 1.0)),
    "yellow": ColorFacts(53, 3, (0.82, 0.94), (0.90, 1.0)),
    "green": ColorFacts(130, 12, (0.65, 0.85), (0.48, 0.66)),
    "blue": ColorFacts(220, 7, (0.78, 0.92), (0.68, 0.86)),
    "purple": ColorFacts(284, 8, (0.62, 0.78), (0.52, 0.68)),
}


def draw_neutral(rng: np.random.Generator, lightness: tuple[float, float]) -> Rgb:
    """A near-grey for walls and floors: any hue, so pale that no object's colour is met."""
    hue, saturation = rng.choice([rng.uniform(0.05, 0.12), rng.uniform()]), rng.uniform(0.0, 0.11)
    return colorsys.hsv_to_rgb(float(hue), saturation, rng.uniform(*lightness))
