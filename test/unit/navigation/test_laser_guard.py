"""How far and how fast a laser scan lets the robot go."""

import math

import numpy as np
import pytest

from vlm_ros.core.motion import Scan
from vlm_ros.navigation.guard import braking_speed_mps, free_path_m


def scan_of(points, count=360):
    """A full turn that meets the given points (x, y) and nothing else."""
    step_rad = 2 * math.pi / count
    ranges = np.full(count, np.inf, np.float32)
    for x, y in points:
        ranges[round((math.atan2(y, x) + math.pi) / step_rad) % count] = math.hypot(x, y)
    return Scan(ranges, -math.pi, step_rad, 0.05, 8.0, 0.0)


@pytest.mark.parametrize(
    ("points", "backwards", "free_m"),
    [
        pytest.param([], False, math.inf, id="nothing around"),
        pytest.param([(1.0, 0.0)], False, 0.8, id="straight ahead, less the radius"),
        pytest.param([(1.0, 0.5)], False, math.inf, id="beside the way"),
        pytest.param([(-1.0, 0.0)], False, math.inf, id="behind"),
        pytest.param([(-1.0, 0.0)], True, 0.8, id="behind, when backing up"),
        pytest.param([(1.0, 0.0), (0.5, 0.1)], False, 0.5 - math.sqrt(0.2**2 - 0.1**2), id="the nearest counts"),
        pytest.param([(0.1, 0.0)], False, 0.0, id="touching already"),
        pytest.param([(0.02, 0.0)], False, math.inf, id="too close to be a measurement"),
    ],
)
def test_free_path_when(points, backwards, free_m):
    assert free_path_m(scan_of(points), 0.2, backwards=backwards) == pytest.approx(free_m, abs=0.01)


@pytest.mark.parametrize(
    ("point", "free_m"),
    [
        pytest.param((1.0, 0.0), 0.74, id="the margin is kept"),
        pytest.param((0.5, 0.2), 0.5 - math.sqrt(0.26**2 - 0.2**2), id="the margin is kept beside the way, too"),
        pytest.param((0.22, 0.0), 0.0, id="ahead within the margin: no step nearer"),
        pytest.param((0.04, 0.22), math.inf, id="beside within the margin: past it"),
    ],
)
def test_free_path_with_a_margin_when(point, free_m):
    assert free_path_m(scan_of([point]), 0.18, 0.08) == pytest.approx(free_m, abs=0.01)


def test_ranges_that_are_not_numbers_mean_nothing_was_measured():
    scan = scan_of([(1.0, 0.0)])
    scan.ranges_m[:] = np.nan
    assert free_path_m(scan, 0.2) == math.inf


@pytest.mark.parametrize("distance_m", [0.01, 0.1, 0.5, 2.0])
def test_braking_speed_uses_up_exactly_the_distance(distance_m):
    speed = braking_speed_mps(distance_m, 0.8, 0.1)
    assert speed * 0.1 + speed**2 / (2 * 0.8) == pytest.approx(distance_m)


def test_braking_speed_is_zero_when_there_is_no_distance_left():
    assert braking_speed_mps(0.0, 0.8, 0.1) == 0.0
    assert braking_speed_mps(-1.0, 0.8, 0.1) == 0.0
