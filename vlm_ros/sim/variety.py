"""Scenes and poses to train on: more kinds of rooms, cameras and views than a robot is tested in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.layout import Layout
from vlm_ros.sim.palette import COLORS
from vlm_ros.sim.robot import CAMERA_FORWARD_M
from vlm_ros.sim.scene import CameraSpec, Scene, SceneObject

LAYOUTS = {Layout.OPEN: 0.4, Layout.STUB: 0.2, Layout.CORNER: 0.15, Layout.TWO_ROOMS: 0.25}
"""Share of each layout."""
OWN_CAMERA_SHARE = 0.5
"""Share of the scenes that are seen through the robot's own camera."""
FIELD_OF_VIEW_DEG, HEIGHT_M, PITCH_DEG = (55.0, 90.0), (0.15, 0.40), (-4.0, 14.0)
_ALIKE_SHARE = 0.6


def draw_varied_scene(seed: int) -> Scene:
    """The scene of ``seed`` in any layout, half through any camera, with things that are easily confused."""
    rng = np.random.default_rng([seed, 4])
    layout = list(LAYOUTS)[int(rng.choice(len(LAYOUTS), p=list(LAYOUTS.values())))]
    scene = draw_scene(seed, layout=layout)
    if rng.uniform() >= OWN_CAMERA_SHARE:
        scene = replace(scene, camera=_any_camera(rng, scene.camera))
    return _with_alike_things(rng, scene)


def draw_hiding_pose(rng: np.random.Generator, scene: Scene) -> Pose:
    """A place from which one thing stands before another, the nearer one 0.3 to 1.5 m from the camera.

    It may lie in a wall: the caller draws again.
    """
    near, far = (scene.objects[int(index)] for index in rng.choice(len(scene.objects), 2, replace=False))
    line_rad = math.atan2(near.y_m - far.y_m, near.x_m - far.x_m) + rng.uniform(-0.15, 0.15)
    away_m = near.radius_m + CAMERA_FORWARD_M + rng.uniform(0.3, 1.5)
    return looking_back(rng, (near.x_m, near.y_m), away_m, line_rad, 0.4)


def draw_edge_pose(rng: np.random.Generator, scene: Scene) -> Pose:
    """The camera 0.1 to 1.2 m from a corner of an inner wall (a doorpost, a wall's end), looking more or less past it.

    It may lie in a wall: the caller draws again. Raises ``ValueError`` where the scene has no inner wall.
    """
    wall = scene.inner_walls[int(rng.integers(len(scene.inner_walls)))]
    corner_m = rng.choice(wall.footprint.corners_m)
    away_m = CAMERA_FORWARD_M + rng.uniform(0.1, 1.2)
    return looking_back(rng, corner_m, away_m, rng.uniform(-math.pi, math.pi), 0.7)


def looking_back(
    rng: np.random.Generator, place_m: Sequence[float], away_m: float, angle_rad: float, off_rad: float
) -> Pose:
    """A pose ``away_m`` from ``place_m`` (x, y) in the direction ``angle_rad``, looking at most ``off_rad`` past it."""
    x_m, y_m = place_m[0] + away_m * math.cos(angle_rad), place_m[1] + away_m * math.sin(angle_rad)
    return Pose(x_m, y_m, angle_rad + math.pi + rng.uniform(-off_rad, off_rad))


def _any_camera(rng: np.random.Generator, camera: CameraSpec) -> CameraSpec:
    return replace(
        camera,
        horizontal_fov_deg=float(rng.uniform(*FIELD_OF_VIEW_DEG)),
        height_m=float(rng.uniform(*HEIGHT_M)),
        pitch_deg=float(rng.uniform(*PITCH_DEG)),
    )


def _with_alike_things(rng: np.random.Generator, scene: Scene) -> Scene:
    """``scene`` with some things painted in the colour of another; names stay unique."""
    objects = list(scene.objects)
    for index, thing in enumerate(objects):
        color = objects[int(rng.integers(len(objects)))].color
        alike = rng.uniform() < _ALIKE_SHARE and thing.name != scene.target
        if alike and f"{color} {thing.shape}" not in {other.name for other in objects}:
            objects[index] = _painted(rng, thing, color)
    return replace(scene, objects=tuple(objects))


def _painted(rng: np.random.Generator, thing: SceneObject, color: str) -> SceneObject:
    return replace(thing, color=color, rgb=COLORS[color].draw(rng))
