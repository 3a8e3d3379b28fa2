"""Views to train and test on: a picture from some place in a room, and what is true of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from vlm_ros.core.frame import RgbImage
from vlm_ros.core.motion import Pose
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.robot import CAMERA_FORWARD_M, ROBOT_RADIUS_M
from vlm_ros.sim.scene import WALL_THICKNESS_M, ObjectMap, Scene
from vlm_ros.sim.truth import ViewTruth, truth_from_view
from vlm_ros.sim.variety import draw_edge_pose, draw_hiding_pose, draw_varied_scene, looking_back
from vlm_ros.sim.world import World

VIEWS_PER_SCENE = 12
_NEAR_OBJECT_SHARE, _NEAR_WALL_SHARE = 0.4, 0.15
HIDING_SHARE, EDGE_SHARE = 0.2, 0.35
_CLEARANCE_M = ROBOT_RADIUS_M + 0.01


@dataclass(frozen=True)
class View:
    """One picture with its truth."""

    scene: Scene
    pose: Pose
    rgb: RgbImage
    objects: ObjectMap
    truth: ViewTruth


def draw_views(
    seeds: Iterable[int], views_per_scene: int = VIEWS_PER_SCENE, *, vary_camera: bool = True, varied: bool = False
) -> Iterator[View]:
    """Views of the scenes of ``seeds``, one scene after the other; the same seed always gives the same ones.

    ``varied`` brings what ``variety.py`` has: inner walls and doorways, any camera, things before things.
    """
    with ExitStack() as stack:
        camera: Camera | None = None
        for seed in seeds:
            scene = draw_varied_scene(seed) if varied else draw_scene(seed, vary_camera=vary_camera)
            rng, world = np.random.default_rng([seed, 1]), World(scene)
            if camera is None:
                camera = stack.enter_context(Camera(world))
            camera.watch(world)
            for _ in range(views_per_scene):
                yield _view(world, camera, draw_pose(rng, scene, varied=varied))


def _view(world: World, camera: Camera, pose: Pose) -> View:
    world.place(pose)
    objects = camera.render_objects()
    return View(world.scene, pose, camera.render(), objects, truth_from_view(world.scene, pose, objects))


def draw_pose(rng: np.random.Generator, scene: Scene, *, varied: bool = False) -> Pose:
    """A free place for the robot: 40 % before an object, 15 % before a wall, else anywhere.

    With ``varied``, ``EDGE_SHARE`` of all are before a corner of an inner wall, where there is one, and of the
    others ``HIDING_SHARE``, taken from the last, before a thing that stands before another.
    """
    drawn = _way_to_draw(rng, scene, varied)
    while True:
        pose = drawn(rng, scene)
        if nearest_distance_m(scene.footprints, pose.x_m, pose.y_m) >= _CLEARANCE_M and _inside(scene, pose):
            return pose


def _way_to_draw(rng: np.random.Generator, scene: Scene, varied: bool) -> Callable[[np.random.Generator, Scene], Pose]:
    kind = rng.uniform()
    if varied and scene.inner_walls and rng.uniform() < EDGE_SHARE:
        return draw_edge_pose
    if varied and kind > 1.0 - HIDING_SHARE:
        return draw_hiding_pose
    if kind < _NEAR_OBJECT_SHARE:
        return _before_object
    return _before_wall if kind < _NEAR_OBJECT_SHARE + _NEAR_WALL_SHARE else _anywhere


def _before_object(rng: np.random.Generator, scene: Scene) -> Pose:
    """The camera 0.3 to 1.5 m from an object, looking more or less at it."""
    thing = scene.objects[int(rng.integers(len(scene.objects)))]
    away_m = thing.radius_m + CAMERA_FORWARD_M + rng.uniform(0.3, 1.5)
    return looking_back(rng, (thing.x_m, thing.y_m), away_m, rng.uniform(-math.pi, math.pi), 0.6)


def _before_wall(rng: np.random.Generator, scene: Scene) -> Pose:
    """The camera 0.1 to 0.8 m from a wall, looking more or less at it."""
    wall = scene.walls[int(rng.integers(len(scene.walls)))]
    thicker_m = (wall.thickness_m - WALL_THICKNESS_M) / 2
    share, away_m = rng.uniform(), thicker_m + CAMERA_FORWARD_M + rng.uniform(0.1, 0.8)
    along_rad = wall.footprint.yaw_rad
    side_rad = along_rad + math.pi / 2 * rng.choice([-1, 1])
    x_m = wall.x0_m + share * (wall.x1_m - wall.x0_m) + away_m * math.cos(side_rad)
    y_m = wall.y0_m + share * (wall.y1_m - wall.y0_m) + away_m * math.sin(side_rad)
    return Pose(x_m, y_m, side_rad + math.pi + rng.uniform(-0.9, 0.9))


def _anywhere(rng: np.random.Generator, scene: Scene) -> Pose:
    low_x, low_y, high_x, high_y = scene.bounds_m
    return Pose(rng.uniform(low_x, high_x), rng.uniform(low_y, high_y), rng.uniform(-math.pi, math.pi))


def _inside(scene: Scene, pose: Pose) -> bool:
    low_x, low_y, high_x, high_y = scene.bounds_m
    return low_x < pose.x_m < high_x and low_y < pose.y_m < high_y
