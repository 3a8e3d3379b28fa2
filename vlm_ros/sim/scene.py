"""One room as plain values: walls, surfaces, lights, objects, where the robot starts and what it looks for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Pose
from vlm_ros.sim.footprint import Footprint
from vlm_ros.sim.robot import CAMERA_FORWARD_M

Rgb = tuple[float, float, float]
"""Red, green and blue, each 0..1."""

ObjectMap = NDArray[np.int8]
"""Shape (height, width): the index in ``scene.objects`` of what a pixel shows, -1 for none."""

WALL_THICKNESS_M = 0.1


@dataclass(frozen=True)
class Wall:
    """A straight wall between two points of the floor, ``thickness_m`` thick about its middle line."""

    x0_m: float
    y0_m: float
    x1_m: float
    y1_m: float
    thickness_m: float = WALL_THICKNESS_M

    @property
    def length_m(self) -> float:
        """From end to end of the middle line."""
        return math.hypot(self.x1_m - self.x0_m, self.y1_m - self.y0_m)

    @property
    def footprint(self) -> Footprint:
        """The floor this wall covers; it reaches half a thickness beyond both ends, which closes corners."""
        half = self.thickness_m / 2
        yaw_rad = math.atan2(self.y1_m - self.y0_m, self.x1_m - self.x0_m)
        x_m, y_m = (self.x0_m + self.x1_m) / 2, (self.y0_m + self.y1_m) / 2
        return Footprint(x_m, y_m, yaw_rad, self.length_m / 2 + half, half, 0.0)


@dataclass(frozen=True)
class Walk:
    """How a target walks: ``seed`` draws its ways and pauses."""

    seed: int
    speed_mps: float


@dataclass(frozen=True)
class SceneObject:
    """A thing that stands on the floor. ``radius_m`` is its widest half width (half the edge of a box)."""

    color: str
    shape: str
    rgb: Rgb
    x_m: float
    y_m: float
    yaw_rad: float
    radius_m: float
    height_m: float

    @property
    def name(self) -> str:
        """What a person calls it, for example ``red ball``."""
        return f"{self.color} {self.shape}"

    @property
    def reach_m(self) -> float:
        """How far its footprint reaches from its middle."""
        return self.radius_m * (math.sqrt(2) if self.shape == "box" else 1.0)

    @property
    def footprint(self) -> Footprint:
        """The floor below its widest part."""
        if self.shape == "box":
            return Footprint(self.x_m, self.y_m, self.yaw_rad, self.radius_m, self.radius_m, 0.0)
        return Footprint(self.x_m, self.y_m, 0.0, 0.0, 0.0, self.radius_m)


def footprints_of(walls: Iterable[Wall], objects: Iterable[SceneObject]) -> tuple[Footprint, ...]:
    """What these walls and objects cover of the floor, walls first."""
    return (*(wall.footprint for wall in walls), *(thing.footprint for thing in objects))


@dataclass(frozen=True)
class Surface:
    """The look of a wall or a floor: a pattern of two tones; ``seed`` fixes its grain, ``tile_m`` its scale."""

    pattern: str
    light: Rgb
    dark: Rgb
    tile_m: float
    seed: int


@dataclass(frozen=True)
class Lamp:
    """A distant lamp that shines along ``(x, y, z)``; ``rgb`` holds tint times strength."""

    x: float
    y: float
    z: float
    rgb: Rgb


@dataclass(frozen=True)
class Lighting:
    """The first lamp is the one that throws shadows, where ``shadows`` is on."""

    ambient: Rgb
    lamps: tuple[Lamp, ...]
    shadows: bool


@dataclass(frozen=True)
class CameraSpec:
    """The robot's forward camera. ``pitch_deg`` is positive downwards."""

    width_px: int = 320
    height_px: int = 240
    horizontal_fov_deg: float = 70.0
    height_m: float = 0.25
    pitch_deg: float = 6.0

    @property
    def vertical_fov_deg(self) -> float:
        """From the horizontal field of view, for square pixels."""
        half_width = math.tan(math.radians(self.horizontal_fov_deg) / 2)
        return math.degrees(2 * math.atan(half_width * self.height_px / self.width_px))

    @property
    def focal_length_px(self) -> float:
        """Focal length in pixels, the same in both directions."""
        return self.width_px / 2 / math.tan(math.radians(self.horizontal_fov_deg) / 2)


@dataclass(frozen=True)
class Scene:
    """Everything that distinguishes one room from another. ``target`` is a name such as ``red ball``.

    With a ``walk`` the target moves; ``objects`` says where it starts, or where it is at one moment.
    The origin is the middle of the room; x and y run along its walls.
    """

    seed: int
    walls: tuple[Wall, ...]
    wall_surface: Surface
    floor_surface: Surface
    lighting: Lighting
    objects: tuple[SceneObject, ...]
    start: Pose
    camera: CameraSpec
    target: str
    walk: Walk | None = None

    @cached_property
    def footprints(self) -> tuple[Footprint, ...]:
        """All that the robot can run into."""
        return footprints_of(self.walls, self.objects)

    @property
    def inner_walls(self) -> tuple[Wall, ...]:
        """The walls that stand inside the outer four."""
        return self.walls[4:]

    def footprints_without(self, thing: SceneObject) -> tuple[Footprint, ...]:
        """All that ``thing`` can run into, or hide behind."""
        return footprints_of(self.walls, (other for other in self.objects if other is not thing))

    @property
    def target_object(self) -> SceneObject | None:
        """The object that ``target`` names, or ``None`` where the room has no such thing."""
        return self.object_named(self.target)

    def object_named(self, name: str) -> SceneObject | None:
        """The object called ``name``; names are unique in a scene."""
        return next((thing for thing in self.objects if thing.name == name), None)

    @property
    def bounds_m(self) -> tuple[float, float, float, float]:
        """Smallest x, smallest y, largest x, largest y of the walls' middle lines."""
        xs = [x for wall in self.walls for x in (wall.x0_m, wall.x1_m)]
        ys = [y for wall in self.walls for y in (wall.y0_m, wall.y1_m)]
        return min(xs), min(ys), max(xs), max(ys)


def camera_position_m(pose: Pose) -> tuple[float, float]:
    """Where on the floor plan the robot's camera is when the robot is at ``pose``."""
    return (
        pose.x_m + CAMERA_FORWARD_M * math.cos(pose.yaw_rad),
        pose.y_m + CAMERA_FORWARD_M * math.sin(pose.yaw_rad),
    )
