"""Rooms from seeds."""

import itertools
import math

import numpy as np
import pytest

from vlm_ros.core.errors import BadConfig
from vlm_ros.sim.draw import NAMES, START_DISTANCE_M, draw_scene
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.free_space import FreeSpace
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import CameraSpec

SEEDS = (*range(12), 100_000, 100_001)


@pytest.mark.parametrize("seed", SEEDS)
def test_scene_is_a_room_that_the_robot_can_work_in(seed):
    scene = draw_scene(seed)
    assert all(4.0 <= wall.length_m <= 7.0 for wall in scene.walls)
    assert 4 <= len(scene.objects) <= 8
    assert len({thing.name for thing in scene.objects}) == len(scene.objects)
    assert all(0.2 <= thing.height_m <= 0.5 for thing in scene.objects)
    assert scene.target_object.footprint.distance_m(scene.start.x_m, scene.start.y_m) >= START_DISTANCE_M
    assert nearest_distance_m(scene.footprints, scene.start.x_m, scene.start.y_m) > ROBOT_RADIUS_M


@pytest.mark.parametrize("seed", SEEDS)
def test_robot_fits_between_any_two_things(seed):
    scene = draw_scene(seed)
    for thing, other in itertools.combinations(scene.footprints[4:], 2):
        middles_m = math.hypot(thing.x_m - other.x_m, thing.y_m - other.y_m)
        radii_m = thing.half_length_m + thing.radius_m + other.half_length_m + other.radius_m
        assert middles_m - radii_m > 2 * ROBOT_RADIUS_M


@pytest.mark.parametrize("seed", SEEDS[::3])
def test_target_can_be_reached(seed):
    scene = draw_scene(seed)
    assert 0.0 < FreeSpace(scene).shortest_path_m(scene.start, scene.target) < 10.0


def test_same_seed_gives_the_same_scene():
    assert draw_scene(5) == draw_scene(5)
    assert draw_scene(5) != draw_scene(6)


@pytest.mark.parametrize("target", ["red ball", "purple mushroom"])
def test_wished_target_stands_in_the_room(target):
    assert all(draw_scene(seed, target=target).target_object is not None for seed in range(20))


def test_target_is_named_but_missing_when_absent():
    for seed in range(20):
        scene = draw_scene(seed, target_absent=True)
        assert scene.target in NAMES
        assert scene.target_object is None


def test_unknown_target_is_refused_with_what_is_known():
    with pytest.raises(BadConfig, match="'pink ball'.*'red'.*'mushroom'"):
        draw_scene(0, target="pink ball")


def test_camera_varies_only_when_asked():
    assert draw_scene(3).camera == CameraSpec()
    cameras = [draw_scene(seed, vary_camera=True).camera for seed in range(20)]
    assert all(60 <= camera.horizontal_fov_deg <= 85 and 0 <= camera.pitch_deg <= 10 for camera in cameras)
    assert np.ptp([camera.height_m for camera in cameras]) > 0.05
