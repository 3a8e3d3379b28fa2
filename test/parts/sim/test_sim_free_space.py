"""The shortest way to the target."""

import math

import pytest
from sim_rooms import room, thing

from vlm_ros.core.motion import Pose
from vlm_ros.sim.free_space import FreeSpace
from vlm_ros.sim.scene import Wall

START = Pose(-2.5, 0.0, 0.0)
REACH_M = 0.8 + 0.14 + 0.15


def test_way_is_straight_when_nothing_is_in_between():
    space = FreeSpace(room(thing("red ball", 1.5, 0.0)))
    assert space.shortest_path_m(START, "red ball") == pytest.approx(4.0 - REACH_M, abs=0.06)


def test_way_is_hardly_longer_than_the_air_line_when_oblique():
    space = FreeSpace(room(thing("red ball", 1.5, 1.2)))
    assert space.shortest_path_m(START, "red ball") == pytest.approx(math.hypot(4.0, 1.2) - REACH_M, rel=0.04)


def test_way_leads_round_a_wall_that_hides_the_target():
    wall = Wall(0.5, -1.2, 0.5, 2.0)
    length_m = FreeSpace(room(thing("red ball", 1.1, 1.0), walls=[wall])).shortest_path_m(START, "red ball")
    assert length_m > math.hypot(3.0, 1.2)


def test_there_is_no_way_when_a_wall_closes_the_room():
    space = FreeSpace(room(thing("red ball", 2.2, 0.0), walls=[Wall(0.5, -2.0, 0.5, 2.0)]))
    assert space.shortest_path_m(START, "red ball") == math.inf


def test_there_is_no_way_when_there_is_no_such_object():
    assert FreeSpace(room()).shortest_path_m(START, "red ball") == math.inf


def test_way_is_nothing_when_the_target_is_near_already():
    assert FreeSpace(room(thing("red ball", -1.8, 0.0))).shortest_path_m(START, "red ball") == 0.0


def test_place_is_free_when_the_robot_fits():
    space = FreeSpace(room(thing("red ball", 1.0, 0.0)))
    assert space.free([0.66, 0.68, 2.76, 2.78], 0.0).tolist() == [True, False, True, False]
