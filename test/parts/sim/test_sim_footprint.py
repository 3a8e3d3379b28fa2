"""Distances on the floor plan."""

import math

import numpy as np
import pytest

from vlm_ros.sim.footprint import Footprint, nearest_distance_m

DISC = Footprint(1.0, 0.0, 0.0, 0.0, 0.0, 0.25)
TURNED_BOX = Footprint(0.0, 0.0, math.pi / 4, 1.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("footprint", "point", "distance_m"),
    [
        (DISC, (0.0, 0.0), 0.75),
        (DISC, (1.0, 0.0), -0.25),
        (TURNED_BOX, (2.0, 0.0), 2.0 - math.sqrt(2)),
        (TURNED_BOX, (0.0, 0.0), -1.0),
        (TURNED_BOX, (math.sqrt(2), math.sqrt(2)), 1.0),
    ],
)
def test_distance_is_that_of_plain_geometry(footprint, point, distance_m):
    assert footprint.distance_m(*point) == pytest.approx(distance_m)


def test_corners_lie_on_the_outline_of_a_box_that_is_turned():
    corners_m = TURNED_BOX.corners_m
    assert sorted(np.hypot(*corners_m.T)) == pytest.approx([math.sqrt(2)] * 4)
    np.testing.assert_allclose(TURNED_BOX.distance_m(*corners_m.T), 0.0, atol=1e-12)


def test_nearest_counts_when_there_are_several():
    x_m = np.array([0.5, 3.0])
    np.testing.assert_allclose(nearest_distance_m([DISC, Footprint(3, 0, 0, 0, 0, 1)], x_m, 0.0), [0.25, -1.0])


def test_nothing_is_infinitely_far_when_the_floor_is_empty():
    assert nearest_distance_m([], 0.0, 0.0) == np.inf
