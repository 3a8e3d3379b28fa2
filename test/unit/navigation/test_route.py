"""The cheapest way over the ground as it is known."""

import math

import numpy as np
import pytest

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.eyes import Eyes, EyesConfig
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.route import Ways

ORIGIN = Pose(0.0, 0.0, 0.0)


def barrier(*sides_m):
    """Ground with something half a metre ahead, found from places these far to the left of the origin."""
    ground = Ground(ORIGIN, Eyes(EyesConfig()))
    for side_m in sides_m * 4:
        ground.learn(PathAhead.BLOCKED, Pose(0.0, side_m, 0.0), 1.0)
    return ground


@pytest.mark.parametrize("degrees", [0, 45, 90, 180, -120])
def test_route_is_straight_when_nothing_is_known_to_be_in_the_way(degrees):
    place = Ways(Ground(ORIGIN, Eyes(EyesConfig())), ORIGIN).next_to(Place.seen_at(ORIGIN, math.radians(degrees), 2.5))
    error_rad = math.remainder(place.angle_from(ORIGIN) - math.radians(degrees), math.tau)
    assert abs(error_rad) < math.radians(45)


def test_route_goes_around_on_the_open_side_when_a_barrier_is_ahead():
    left_closed = Ways(barrier(0.0, 0.3, 0.6, 0.9), ORIGIN).next_to(Place(2.0, 0.0))
    right_closed = Ways(barrier(0.0, -0.3, -0.6, -0.9), ORIGIN).next_to(Place(2.0, 0.0))
    assert left_closed.y_m < -0.15
    assert right_closed.y_m > 0.15


def test_route_ends_at_the_goal_when_it_is_close():
    assert Ways(Ground(ORIGIN, Eyes(EyesConfig())), ORIGIN).next_to(Place(0.3, 0.1)) == Place(0.3, 0.1)


def test_route_leads_towards_a_goal_that_is_off_the_map():
    place = Ways(Ground(ORIGIN, Eyes(EyesConfig())), ORIGIN).next_to(Place(40.0, 0.0))
    assert abs(place.angle_from(ORIGIN)) < math.radians(20)


def test_way_through_a_barrier_costs_more_than_the_way_around_it():
    closed = Ways(barrier(*(0.2 * number for number in range(-10, 11))), ORIGIN)
    open_ = Ways(Ground(ORIGIN, Eyes(EyesConfig())), ORIGIN)
    behind = Place(1.2, 0.0)
    assert 1.2 <= open_.cost_to(behind) < 2.2
    assert closed.cost_to(behind) > 2.5 * open_.cost_to(behind)
    assert closed.cost_to(Place(-1.2, 0.0)) < 0.5 * closed.cost_to(behind)


def test_detour_is_what_a_way_costs_beyond_the_straight_line():
    closed = Ways(barrier(*(0.2 * number for number in range(-10, 11))), ORIGIN)
    before_m, behind_m, outside_m = closed.detour_m(np.array([-1.2, 1.2, 40.0]), np.zeros(3))
    assert 0.0 <= before_m < 1.0
    assert behind_m > 2.0
    assert behind_m == pytest.approx(closed.cost_to(Place(1.2, 0.0)) - 1.2)
    assert outside_m == np.inf
