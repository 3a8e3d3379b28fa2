"""The shapes of floors."""

import itertools

import numpy as np
import pytest

from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.free_space import FreeSpace
from vlm_ros.sim.layout import Layout, layout_from_rooms

SEEDS = (0, 1, 2, 3, 100_000, 900_000)
INSIDE = (Layout.STUB, Layout.CORNER, Layout.TWO_ROOMS)


def doorway_m(scene):
    """Clear width between the two inner walls of two rooms."""
    first, second = scene.inner_walls
    along = (first.x1_m, second.x0_m) if first.y0_m == first.y1_m else (first.y1_m, second.y0_m)
    return along[1] - along[0] - first.thickness_m


def side_of(scene, x_m, y_m):
    """In which of two rooms a point lies."""
    wall = scene.walls[4]
    return y_m > wall.y0_m if wall.y0_m == wall.y1_m else x_m > wall.x0_m


@pytest.mark.parametrize("seed", SEEDS)
def test_doorway_is_as_wide_as_promised(seed):
    assert 0.9 <= doorway_m(draw_scene(seed, layout=Layout.TWO_ROOMS)) <= 1.1


def test_robot_and_target_stand_in_either_room():
    scenes = [draw_scene(seed, layout=Layout.TWO_ROOMS) for seed in range(20)]
    places = {
        (side_of(s, s.start.x_m, s.start.y_m), side_of(s, s.target_object.x_m, s.target_object.y_m)) for s in scenes
    }
    assert places == set(itertools.product((False, True), repeat=2))


@pytest.mark.parametrize("layout", INSIDE)
def test_target_can_be_reached_whatever_stands_inside(layout):
    for seed in SEEDS:
        scene = draw_scene(seed, layout=layout)
        assert np.isfinite(FreeSpace(scene).shortest_path_m(scene.start, scene.target))


@pytest.mark.parametrize("layout", INSIDE)
def test_no_object_stands_in_a_wall(layout):
    for seed in SEEDS:
        scene = draw_scene(seed, layout=layout)
        walls = [wall.footprint for wall in scene.walls]
        assert all(nearest_distance_m(walls, thing.x_m, thing.y_m) > 0.5 for thing in scene.objects)


def test_corner_is_solid_and_fills_the_room_up_to_both_walls():
    scene = draw_scene(4, layout=Layout.CORNER)
    block, (low_x, low_y, high_x, high_y) = scene.walls[4].footprint, scene.bounds_m
    depths_m = [float(block.distance_m(x, y)) for x in (low_x, high_x) for y in (low_y, high_y)]
    assert sum(abs(depth_m) < 0.01 for depth_m in depths_m) == 1
    assert block.distance_m(block.x_m, block.y_m) < -0.5


def test_each_layout_is_drawn_by_itself_and_the_same_every_time():
    scenes = [draw_scene(5, layout=layout) for layout in Layout]
    assert scenes == [draw_scene(5, layout=layout) for layout in Layout]
    assert len({scene.start for scene in scenes}) == len(scenes)


def test_plain_rooms_of_reported_seeds_stay_as_they_were():
    scene = draw_scene(900_000)
    assert scene.target == "orange box"
    assert (round(scene.start.x_m, 6), round(scene.start.y_m, 6)) == (0.379258, 1.754329)


def test_rooms_are_one_open_one_or_two():
    assert (layout_from_rooms(1), layout_from_rooms(2)) == (Layout.OPEN, Layout.TWO_ROOMS)
