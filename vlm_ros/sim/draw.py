"""A room from a seed: the same seed and wishes always give the same scene."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from vlm_ros.core.errors import BadConfig
from vlm_ros.core.motion import Pose
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.layout import Layout, draw_walls, half_sizes_m
from vlm_ros.sim.palette import COLORS, draw_neutral
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import CameraSpec, Lamp, Lighting, Rgb, Scene, SceneObject, Surface, Walk, Wall, footprints_of
from vlm_ros.sim.shapes import SHAPES
from vlm_ros.sim.textures import PATTERNS

PASSAGE_M = 0.55
"""Gap around every object: the robot is 0.36 m wide."""
START_DISTANCE_M = 1.3
"""The target stands at least this far from the robot's start."""
FOLLOWER_START_M = (1.0, 1.6)
"""Distance from which the robot begins to follow."""
WALKING_MPS = (0.15, 0.30)
"""Speed of a target that walks: the robot drives at up to 0.4 m/s."""
NAMES = tuple(f"{color} {shape}" for color in COLORS for shape in SHAPES)
"""Every name that an object can have, for example ``red ball``."""
_TRIES = 200


def draw_scene(
    seed: int,
    *,
    layout: Layout = Layout.OPEN,
    target: str | None = None,
    target_absent: bool = False,
    vary_camera: bool = False,
) -> Scene:
    """The scene of ``seed``: a room 4 to 7 m a side, or two smaller ones, with 4 to 8 objects of distinct names.

    ``target`` names what to look for and puts it there; without it one of the objects is drawn.
    With ``target_absent`` there is no such thing. ``vary_camera`` draws the camera's field
    of view, height and pitch as well, for training. Raises ``BadConfig`` for an unknown target.
    """
    if target is not None and target not in NAMES:
        raise BadConfig(f"no object can be called '{target}': colours are {list(COLORS)}, shapes {list(SHAPES)}")
    rng = _chance(seed, layout)
    walls = draw_walls(rng, layout)
    target, names = _draw_names(rng, target, target_absent, _floor_m2(walls))
    objects = _place_objects(rng, walls, names)
    return Scene(
        seed=seed,
        walls=walls,
        wall_surface=_draw_surface(rng, (0.70, 0.96), (0.8, 2.0)),
        floor_surface=_draw_surface(rng, (0.45, 0.80), (0.5, 1.4)),
        lighting=_draw_lighting(rng),
        objects=objects,
        start=_draw_start(rng, walls, objects, target),
        camera=_draw_camera(rng) if vary_camera else CameraSpec(),
        target=target,
    )


def _chance(seed: int, layout: Layout) -> np.random.Generator:
    """A generator for each layout: what is drawn for one never changes what another looks like."""
    return np.random.default_rng(seed if layout is Layout.OPEN else [seed, *layout.value.encode()])


def _floor_m2(walls: tuple[Wall, ...]) -> float:
    return walls[0].length_m * walls[1].length_m


def _draw_names(
    rng: np.random.Generator, target: str | None, target_absent: bool, area_m2: float
) -> tuple[str, list[str]]:
    """The target and the names of the objects; small rooms hold fewer of them, so that there is space to drive."""
    target = target or str(rng.choice(NAMES))
    others = [name for name in rng.permutation(NAMES).tolist() if name != target]
    count = int(rng.integers(4, min(8, int(area_m2 / 3.5)) + 1))
    return target, others[:count] if target_absent else [target, *others[: count - 1]]


def _place_objects(rng: np.random.Generator, walls: tuple[Wall, ...], names: list[str]) -> tuple[SceneObject, ...]:
    """Objects with a passage all around each; starts over where the last ones find no place."""
    while True:
        objects: list[SceneObject] = []
        for name in names:
            placed = _place_object(rng, walls, objects, name)
            if placed is None:
                break
            objects.append(placed)
        if len(objects) == len(names):
            return tuple(objects)


def _place_object(
    rng: np.random.Generator, walls: tuple[Wall, ...], objects: list[SceneObject], name: str
) -> SceneObject | None:
    color, shape = name.split()
    height_m = rng.uniform(*SHAPES[shape].height_m)
    radius_m = height_m * rng.uniform(*SHAPES[shape].slimness) / 2
    reach_m = radius_m * (math.sqrt(2) if shape == "box" else 1.0)
    footprints = footprints_of(walls, objects)
    for _ in range(_TRIES):
        x_m, y_m = _draw_point(rng, walls)
        if nearest_distance_m(footprints, x_m, y_m) >= reach_m + PASSAGE_M:
            rgb, yaw_rad = COLORS[color].draw(rng), rng.uniform(-math.pi, math.pi)
            return SceneObject(color, shape, rgb, x_m, y_m, yaw_rad, radius_m, height_m)
    return None


def _draw_start(
    rng: np.random.Generator, walls: tuple[Wall, ...], objects: tuple[SceneObject, ...], target: str
) -> Pose:
    """A free place from which the robot can turn, not yet near the target."""
    footprints = footprints_of(walls, objects)
    targets = [thing.footprint for thing in objects if thing.name == target]
    while True:
        x_m, y_m = _draw_point(rng, walls)
        clear = nearest_distance_m(footprints, x_m, y_m) >= ROBOT_RADIUS_M + 0.1
        if clear and nearest_distance_m(targets, x_m, y_m) >= START_DISTANCE_M:
            return Pose(x_m, y_m, rng.uniform(-math.pi, math.pi))


def with_walking_target(scene: Scene) -> Scene:
    """``scene`` with a target that walks, and the robot's start 1.0 to 1.6 m before it, facing it."""
    thing = scene.target_object
    assert thing is not None, "a target that walks is in the scene"
    rng = np.random.default_rng([scene.seed, 3])
    walk = Walk(int(rng.integers(2**31)), rng.uniform(*WALKING_MPS))
    others = scene.footprints_without(thing)
    while True:
        angle_rad, away_m = rng.uniform(-math.pi, math.pi), thing.reach_m + rng.uniform(*FOLLOWER_START_M)
        ways_m = np.linspace(0.0, away_m, 20)
        xs, ys = thing.x_m + ways_m * math.cos(angle_rad), thing.y_m + ways_m * math.sin(angle_rad)
        if nearest_distance_m(others, xs, ys).min() >= ROBOT_RADIUS_M + 0.1:
            start = Pose(float(xs[-1]), float(ys[-1]), math.remainder(angle_rad + math.pi, 2 * math.pi))
            return replace(scene, start=start, walk=walk)


def _draw_point(rng: np.random.Generator, walls: tuple[Wall, ...]) -> tuple[float, float]:
    half_x_m, half_y_m = half_sizes_m(walls)
    return float(rng.uniform(-half_x_m, half_x_m)), float(rng.uniform(-half_y_m, half_y_m))


def _draw_surface(rng: np.random.Generator, lightness: tuple[float, float], tile_m: tuple[float, float]) -> Surface:
    light = draw_neutral(rng, lightness)
    contrast = rng.uniform(0.62, 0.88)
    red, green, blue = (float(channel * contrast) for channel in light)
    pattern = str(rng.choice(list(PATTERNS)))
    return Surface(pattern, light, (red, green, blue), float(rng.uniform(*tile_m)), int(rng.integers(2**31)))


def _draw_lighting(rng: np.random.Generator) -> Lighting:
    """One main lamp, and up to two weak ones; the ambient light keeps colours tellable in every shadow."""
    strength = rng.uniform(0.30, 0.42)
    fills = [_draw_lamp(rng, 0.3 * strength) for _ in range(int(rng.integers(0, 3)))]
    ambient = _draw_tint(rng, rng.uniform(0.5, 0.58))
    return Lighting(ambient, (_draw_lamp(rng, strength), *fills), shadows=bool(rng.uniform() < 0.5))


def _draw_lamp(rng: np.random.Generator, strength: float) -> Lamp:
    azimuth_rad, elevation_rad = rng.uniform(-math.pi, math.pi), math.radians(rng.uniform(50, 78))
    flat = math.cos(elevation_rad)
    x, y, z = flat * math.cos(azimuth_rad), flat * math.sin(azimuth_rad), -math.sin(elevation_rad)
    return Lamp(x, y, z, _draw_tint(rng, strength))


def _draw_tint(rng: np.random.Generator, strength: float) -> Rgb:
    warmth = rng.uniform(-0.06, 0.08)
    return float(strength * (1 + warmth)), float(strength), float(strength * (1 - warmth))


def _draw_camera(rng: np.random.Generator) -> CameraSpec:
    return CameraSpec(
        horizontal_fov_deg=float(rng.uniform(60, 85)),
        height_m=float(rng.uniform(0.20, 0.30)),
        pitch_deg=float(rng.uniform(0, 10)),
    )
