"""Where a target that moves was last seen."""

import math

import pytest
from percepts import config, nothing, seen

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.eyes import Eyes
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.quarry import Quarry

ORIGIN = Pose(0.0, 0.0, 0.0)


def quarry(*percepts):
    known = Quarry(Eyes(config()), near_m=0.8)
    for percept in percepts:
        known.learn(percept, ORIGIN)
    return known


@pytest.mark.parametrize(("bearing", "low_deg", "high_deg"), [("left", 10, 40), ("center", -1, 1), ("right", -40, -10)])
def test_target_is_placed_in_its_third_of_the_picture(bearing, low_deg, high_deg):
    place = quarry(seen(bearing, "far")).place
    assert low_deg < math.degrees(place.angle_from(ORIGIN)) < high_deg


def test_near_target_is_placed_closer_than_a_far_one():
    near, far = quarry(seen("center", "near")), quarry(seen("center", "far"))
    assert near.near
    assert not far.near
    assert near.place.distance_from(ORIGIN) < 0.8 < far.place.distance_from(ORIGIN)


@pytest.mark.parametrize(("bearings", "side"), [(["left", "center"], 1.0), (["left", "right", "center"], -1.0)])
def test_last_side_is_remembered_when_the_target_vanishes(bearings, side):
    assert quarry(*map(seen, bearings), nothing(at_s=1.0)).side == side


def test_time_out_of_sight_is_counted_from_the_last_picture_that_shows_it():
    known = quarry(nothing(), seen(at_s=1.0), nothing(at_s=3.0))
    assert known.unseen_s(Senses(5.0, percept=nothing(at_s=3.5))) == pytest.approx(2.5)
    assert quarry(nothing()).unseen_s(Senses(5.0, percept=nothing(at_s=3.5))) == 0.0
