"""Targets that walk."""

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from sim_rooms import room, thing

from vlm_ros.core.motion import STANDSTILL, Pose
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.draw import draw_scene, with_walking_target
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.scene import Walk
from vlm_ros.sim.truth import truth_from_view
from vlm_ros.sim.walk import GIVE_WAY_M, HIDDEN_S, Walker
from vlm_ros.sim.world import World

STEP_S = 0.05
WALK = Walk(seed=1, speed_mps=0.25)
FAR_AWAY = Pose(-2.7, -1.7, 0.0)


def walking(*objects, walk=WALK):
    return replace(room(thing("red ball", 1.0, 0.0), *objects, start=FAR_AWAY), walk=walk)


def places_m(walker, robot=FAR_AWAY, seconds=120.0):
    """Where the target is at each step."""
    for _ in range(round(seconds / STEP_S)):
        walker.step(robot, STEP_S)
        yield walker.scene.target_object.x_m, walker.scene.target_object.y_m


def test_target_walks_at_its_speed_with_turns_and_pauses():
    places = list(places_m(Walker(walking(), WALK)))
    speeds = [math.dist(a, b) / STEP_S for a, b in itertools.pairwise(places)]
    assert max(speeds) == pytest.approx(WALK.speed_mps, abs=1e-6)
    assert 0.05 < np.mean([speed == 0.0 for speed in speeds]) < 0.6
    assert max(math.dist(a, b) for a in places[::20] for b in places[::20]) > 2.0


def test_target_keeps_away_from_all_things():
    scene = walking(thing("blue box", -1.0, 0.0), thing("green cone", 0.0, 1.0))
    others = scene.footprints_without(scene.target_object)
    assert all(nearest_distance_m(others, *place) > 0.15 + 0.1 for place in places_m(Walker(scene, WALK)))


def test_target_never_comes_close_to_a_robot_that_stands_still():
    robot = Pose(0.0, 0.0, 0.0)
    gaps_m = [math.hypot(*place) - 0.18 - 0.15 for place in places_m(Walker(walking(), WALK), robot)]
    assert min(gaps_m) >= GIVE_WAY_M - 0.01
    assert max(gaps_m) > 1.0


def test_target_goes_out_of_sight_now_and_then_and_not_for_long():
    scene = walking(thing("blue box", 0.0, 0.0, radius_m=0.3))
    robot = Pose(-1.5, 0.0, 0.0)
    hidden = [
        nearest_distance_m([scene.objects[1].footprint], *np.linspace((-1.5, 0.0), place, 30).T).min() <= 0.0
        for place in places_m(Walker(scene, WALK), robot)
    ]
    longest_s = max(sum(group) * STEP_S for _, group in itertools.groupby(hidden))
    assert 0.3 < longest_s <= 2 * HIDDEN_S


def test_camera_truth_and_laser_show_the_target_where_it_is_now():
    world = World(walking())
    with Camera(world) as camera:
        for _ in range(200):
            world.step(STANDSTILL, STEP_S)
        place = world.scene.target_object
        assert math.hypot(place.x_m - 1.0, place.y_m) > 0.3
        yaw_rad = math.atan2(place.y_m + 1.7, place.x_m + 2.7)
        world.place(Pose(-2.7, -1.7, yaw_rad))
        shown = camera.render_objects() == 0
        truth = truth_from_view(world.scene, world.pose, camera.render_objects())
    assert np.nonzero(shown)[1].mean() == pytest.approx(shown.shape[1] / 2, abs=2.0)
    away_m = math.hypot(place.x_m + 2.7, place.y_m + 1.7)
    assert truth.objects[0].distance_m == pytest.approx(away_m - 0.15 - 0.14, abs=0.01)
    scan = world.scan()
    assert scan.ranges_m[90] == pytest.approx(away_m - 0.15, abs=0.03)


def test_robot_bumps_into_the_target_where_it_is_now():
    world = World(walking())
    for _ in range(200):
        world.step(STANDSTILL, STEP_S)
    place = world.scene.target_object
    world.place(Pose(place.x_m - 0.18 - 0.14, place.y_m, 0.0))
    assert world.touching
    world.place(Pose(place.x_m - 0.18 - 0.17, place.y_m, 0.0))
    assert not world.touching


def test_robot_starts_before_the_target_and_sees_it():
    for seed in range(100_000, 100_006):
        scene = with_walking_target(draw_scene(seed))
        world = World(replace(scene, camera=replace(scene.camera, width_px=128, height_px=96)))
        with Camera(world) as camera:
            truth = truth_from_view(world.scene, world.pose, camera.render_objects())
        assert scene.target in {one.name for one in truth.visible}


def test_walk_is_the_same_when_drawn_again():
    assert with_walking_target(draw_scene(7)) == with_walking_target(draw_scene(7))
