"""How far and how fast a laser scan lets the robot go."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vlm_ros.core.motion import Scan
from vlm_ros.navigation.guard import blindness, braking_speed_mps, free_path_m


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
        pytest.param([(0.02, 0.0)], False, 0.0, id="too close to be a measurement"),
        pytest.param([(-0.02, 0.0)], False, math.inf, id="too close, but behind"),
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


@pytest.mark.parametrize(
    ("value", "free_m"),
    [
        pytest.param(np.nan, 0.8, id="not a number"),
        pytest.param(0.0, 0.8, id="nought, as many drivers say it"),
        pytest.param(np.inf, 0.8, id="nothing in range"),
        pytest.param(9.0, 0.8, id="beyond the largest range"),
        pytest.param(-np.inf, 0.0, id="too close to measure"),
    ],
)
def test_rays_beside_a_measurement_of_which_each_is(value, free_m):
    scan = scan_of([(1.0, 0.0)])
    scan.ranges_m[np.isinf(scan.ranges_m)] = value
    assert free_path_m(scan, 0.2) == pytest.approx(free_m, abs=0.01)


@pytest.mark.parametrize(
    ("value", "free_m"), [(np.nan, 0.0), (0.0, 0.0), (-1.0, 0.0), (np.inf, math.inf), (9.0, math.inf)]
)
def test_a_way_is_free_only_where_a_laser_says_so(value, free_m):
    """A laser that is covered or broken measures nothing anywhere."""
    scan = scan_of([(-1.0, 0.0)])
    scan.ranges_m[np.isinf(scan.ranges_m)] = value
    assert free_path_m(scan, 0.2) == free_m
    assert free_path_m(scan, 0.2, backwards=True) == pytest.approx(0.8, abs=0.01)


def half_turn(missing, blind_deg, from_deg=0):
    """181 rays ahead that see a thing 2 m away, but for those ``from_deg`` to ``blind_deg`` aside, on both sides."""
    degrees = np.arange(-90, 91)
    unseen = (from_deg <= np.abs(degrees)) & (np.abs(degrees) <= blind_deg)
    ranges = np.where(unseen, missing, 2.0).astype(np.float32)
    return Scan(ranges, -math.pi / 2, math.radians(1), 0.05, 8.0, 0.0)


@pytest.mark.parametrize("missing", [np.nan, 0.0])
@pytest.mark.parametrize("blind_deg", [15, 30, 60, 80, 89])
@pytest.mark.parametrize("reach_m", [0.02, 0.2, 0.45, 1.0, 3.0])
def test_rays_beside_the_way_say_nothing_of_it(missing, blind_deg, reach_m):
    scan = half_turn(missing, max(blind_deg, 30) if reach_m > 0.3 else blind_deg)
    assert free_path_m(scan, reach_m) == 0.0
    assert "measures nothing" in blindness(scan, reach_m)


@pytest.mark.parametrize("missing", [np.nan, 0.0])
@pytest.mark.parametrize(("from_deg", "blind_deg"), [(0, 0), (0, 3), (4, 7), (20, 90)])
def test_some_rays_that_measure_nothing_leave_the_word_to_the_others(missing, from_deg, blind_deg):
    assert free_path_m(half_turn(missing, blind_deg, from_deg), 0.2) == pytest.approx(1.82, abs=0.04)


def test_a_way_without_anything_in_range_is_free():
    assert free_path_m(half_turn(np.inf, 60), 0.2) == math.inf


@pytest.mark.parametrize(
    "limits_m", [(0.05, 0.0), (0.05, 0.05), (0.05, math.nan), (math.nan, 8.0), (-math.inf, 8.0), (0.0, 0.0)]
)
def test_nothing_is_free_when_the_limits_of_the_laser_make_no_sense(limits_m):
    low_m, high_m = limits_m
    scan = replace(scan_of([(0.5, 0.0)]), range_min_m=low_m, range_max_m=high_m)
    assert free_path_m(scan, 0.2) == 0.0
    assert f"from {low_m:g} m to {high_m:g} m" in blindness(scan, 0.2)


@pytest.mark.parametrize("distance_m", [0.01, 0.1, 0.5, 2.0])
def test_braking_speed_uses_up_exactly_the_distance(distance_m):
    speed = braking_speed_mps(distance_m, 0.8, 0.1)
    assert speed * 0.1 + speed**2 / (2 * 0.8) == pytest.approx(distance_m)


def test_braking_speed_is_zero_when_there_is_no_distance_left():
    assert braking_speed_mps(0.0, 0.8, 0.1) == 0.0
    assert braking_speed_mps(-1.0, 0.8, 0.1) == 0.0
