"""What cameras do to pictures, in the order that light takes."""

import numpy as np
import pytest

from vlm_ros.training import artefacts

STRIPES = np.repeat(np.where(np.arange(320) // 20 % 2, 200, 60).astype(np.uint8)[None, :, None], 240, 0)
STRIPES = np.repeat(STRIPES, 3, 2)


@pytest.fixture
def only(monkeypatch):
    """Turns on one artefact for every picture, and all others off."""

    def choose(name):
        for share in ("BLURRED_SHARE", "EXPOSED_SHARE", "NOISY_SHARE", "COMPRESSED_SHARE"):
            monkeypatch.setattr(artefacts, share, float(share == name))
        return artefacts.spoilt(np.random.default_rng(4), STRIPES).astype(float)

    return choose


def sharpness(pixels):
    return np.abs(np.diff(pixels.astype(float), axis=1)).max(axis=1).mean()


def test_edges_across_the_motion_are_smeared_when_blurred(only):
    blurred = only("BLURRED_SHARE")
    assert sharpness(blurred) < 0.6 * sharpness(STRIPES)
    assert blurred.mean() == pytest.approx(STRIPES.mean(), rel=0.05)


def test_light_changes_everywhere_alike_when_exposed(only):
    exposed = only("EXPOSED_SHARE")
    assert abs(exposed.mean() - STRIPES.mean()) > 2.0
    assert len(np.unique(exposed)) == 2


def test_flat_areas_are_grainy_when_noisy(only):
    assert only("NOISY_SHARE")[:, :20].std() > 1.0


def test_edges_ring_when_compressed(only):
    assert only("COMPRESSED_SHARE")[:, 2:18].std() > 0.2


def test_picture_stays_as_it_was_when_nothing_is_drawn(only):
    assert np.array_equal(only("none of them"), STRIPES)


def test_same_generator_spoils_a_picture_the_same_way():
    pictures = [artefacts.spoilt(np.random.default_rng(seed), STRIPES) for seed in (1, 1, 2)]
    assert np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[0], pictures[2])
    assert pictures[0].shape == STRIPES.shape and pictures[0].dtype == np.uint8
