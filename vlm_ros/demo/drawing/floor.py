"""The room from above without its robot: the ground on which trails are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from vlm_ros.core.motion import Pose
from vlm_ros.demo.drawing.style import PAPER
from vlm_ros.sim.overview import Overview
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.world import World

_OUT_OF_SIGHT = Pose(200.0, 200.0, 0.0)
_FIELD_OF_VIEW_DEG = 8.0
"""From far away, so that walls hide no floor and nothing leans."""
_DRAWN_EXTENTS = 1.0, 40.0
"""Nearest and farthest drawn, in extents of the room's model."""
_OUTSIDE_M = 0.12

Pixels = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Floor:
    """A square picture; ``pixel_of`` gives column and row of points in metres, ``robot_px`` is the robot's radius."""

    image: Image.Image
    pixel_of: Pixels
    robot_px: float


def floor_from_scene(scene: Scene) -> Floor:
    """Draw the room once, with the robot put out of sight."""
    world = World(scene)
    world.place(_OUT_OF_SIGHT)
    world.model.vis.global_.fovy = _FIELD_OF_VIEW_DEG
    world.model.vis.map.znear, world.model.vis.map.zfar = _DRAWN_EXTENTS
    with Overview(world) as overview:
        image = _cut_out(Image.fromarray(overview.render()), overview, scene)
    (left, right), _ = overview.pixel_of([0.0, ROBOT_RADIUS_M], [0.0, 0.0])
    return Floor(image, overview.pixel_of, float(right - left))


def _cut_out(image: Image.Image, overview: Overview, scene: Scene) -> Image.Image:
    """The room and its walls, on paper."""
    low_x, low_y, high_x, high_y = scene.bounds_m
    xs, ys = [low_x - _OUTSIDE_M, high_x + _OUTSIDE_M], [high_y + _OUTSIDE_M, low_y - _OUTSIDE_M]
    (left, right), (top, bottom) = overview.pixel_of(xs, ys)
    box = (round(left), round(top), round(right), round(bottom))
    page = Image.new("RGB", image.size, PAPER)
    page.paste(image.crop(box), box)
    return page
