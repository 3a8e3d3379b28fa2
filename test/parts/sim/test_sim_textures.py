"""Pictures for walls and floors."""

import numpy as np
import pytest

from vlm_ros.sim.scene import Surface
from vlm_ros.sim.textures import PATTERNS, texture_from_surface

LIGHT, DARK = (0.8, 0.75, 0.7), (0.5, 0.45, 0.4)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texture_stays_between_its_two_tones(pattern):
    pixels = texture_from_surface(Surface(pattern, LIGHT, DARK, 1.0, 7)) / 255
    assert pixels.shape == (128, 128, 3)
    assert (pixels >= np.array(DARK) - 0.01).all() and (pixels <= np.array(LIGHT) + 0.01).all()
    assert np.ptp(pixels) > 0.02


def test_grain_follows_the_seed():
    surfaces = [texture_from_surface(Surface("noise", LIGHT, DARK, 1.0, seed)) for seed in (1, 1, 2)]
    assert np.array_equal(surfaces[0], surfaces[1])
    assert not np.array_equal(surfaces[0], surfaces[2])
