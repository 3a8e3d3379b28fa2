"""The room from above without its robot: the ground on which trails are drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from vlm_ros.core.motion import Pose
from vlm_ros.sim.overview import Overview
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.world import World

_OUT_OF_SIGHT = Pose(200.0, 200.0, 0.0)

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
    with Overview(world) as overview:
        image = Image.fromarray(overview.render())
    (left, right), _ = overview.pixel_of([0.0, ROBOT_RADIUS_M], [0.0, 0.0])
    return Floor(image, overview.pixel_of, float(right - left))
