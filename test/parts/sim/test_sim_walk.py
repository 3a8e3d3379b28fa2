"""Targets that walk."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sim_rooms import room, thing

from vlm_ros.core.motion import STANDSTILL, Pose, Velocity
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.draw_walk import SPEED_MPS, with_walking_target
from vlm_ros.sim.layout import Layout
from vlm_ros.sim.truth import truth_from_view
from vlm_ros.sim.walk import GIVE_WAY_M, Walk, Walker
from vlm_ros.sim.world import World

ACROSS = Walk((0.0, 10.0), (1.0, 1.0), (-1.0, 1.0))
TOWARDS = Walk((0.0, 10.0), (2.0, 0.0), (0.0, 0.0))


def walking(walk):
    return replace(room(thing("red ball", walk.xs_m[0], walk.ys_m[0])), walk=walk)


def ball_y_m(world):
    return world.scene.target_object.y_m


def test_target_is_where_its_walk_says_after_some_seconds():
    world = World(walking(ACROSS))
    for _ in range(100):
        world.step(STANDSTILL, 0.05)
    assert ball_y_m(world) == pytest.approx(0.0, abs=0.02)


def test_camera_truth_and_laser_follow_the_target():
    world = World(walking(ACROSS))
    with Camera(world) as camera:
        columns = []
        for _ in range(3):
            objects = camera.render_objects()
            columns.append(np.nonzero(objects == 0)[1].mean() if (objects == 0).any() else None)
            for _ in range(50):
                world.step(STANDSTILL, 0.05)
        truth = truth_from_view(world.scene, world.pose, camera.render_objects())
    assert columns[1] > columns[2]
    assert truth.objects[0].distance_m == pytest.approx(math.hypot(0.86, 0.5) - 0.15, abs=0.1)
    scan = world.scan()
    toward = round((math.atan2(0.5, 1.0) + math.pi) / scan.angle_step_rad)
    assert scan.ranges_m[toward] == pytest.approx(math.hypot(1.0, 0.5) - 0.15, abs=0.05)


def test_robot_bumps_into_the_target_where_it_is_now():
    world = World(replace(walking(Walk((0.0, 2.0), (1.0, 1.0), (1.5, 0.0))), start=Pose(0.0, 0.0, 0.0)))
    for _ in range(60):
        world.step(STANDSTILL, 0.05)
    for _ in range(60):
        world.step(Velocity(0.4, 0.0), 0.05)
    assert world.touching
    assert world.pose.x_m < 1.0 - 0.15 - 0.15


def test_target_turns_round_before_it_meets_the_robot():
    walker = Walker(walking(TOWARDS), TOWARDS)
    gaps_m = []
    for _ in range(400):
        walker.step(Pose(0.0, 0.0, 0.0), 0.05)
        gaps_m.append(walker.scene.target_object.x_m - 0.18 - 0.15)
    assert min(gaps_m) >= GIVE_WAY_M
    assert max(gaps_m[gaps_m.index(min(gaps_m)) :]) > 1.5


@pytest.mark.parametrize("layout", Layout)
def test_drawn_walk_keeps_away_from_all_things_and_goes_somewhere(layout):
    scene = with_walking_target(draw_scene(100_001, layout=layout))
    target = scene.target_object
    others = [one.footprint for one in (*scene.walls, *scene.objects) if one is not target]
    places = [scene.walk.place_m(second) for second in np.arange(0.0, 90.0, 0.5)]
    assert all(min(float(one.distance_m(*place)) for one in others) > target.radius_m for place in places)
    speeds = [2 * math.dist(a, b) for a, b in zip(places, places[1:], strict=False)]
    assert max(speeds) <= SPEED_MPS[1] + 1e-6
    assert any(speed == 0.0 for speed in speeds) and max(math.dist(a, b) for a in places for b in places) > 1.5


def test_robot_starts_before_the_target_and_sees_it():
    for seed in range(100_000, 100_006):
        scene = with_walking_target(draw_scene(seed))
        world = World(replace(scene, camera=replace(scene.camera, width_px=128, height_px=96)))
        with Camera(world) as camera:
            truth = truth_from_view(world.scene, world.pose, camera.render_objects())
        assert scene.target in {one.name for one in truth.visible}


def test_walk_is_the_same_when_drawn_again():
    assert with_walking_target(draw_scene(7)) == with_walking_target(draw_scene(7))
