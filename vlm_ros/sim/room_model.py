"""A scene as a MuJoCo model.

Groups: 0 floor and walls, 1 the robot, 2 what objects look like, 3 (never drawn) the footprints of
objects as upright prisms, which are what the robot bumps into and what the laser sees.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from vlm_ros.sim.gl import mujoco
from vlm_ros.sim.robot_model import add_robot
from vlm_ros.sim.scene import Lighting, Scene, SceneObject, Surface, Wall
from vlm_ros.sim.shapes import OUTLINES, turned_mesh
from vlm_ros.sim.textures import texture_from_surface

WALL_HEIGHT_M = 2.6
LARGEST_PICTURE_PX = 640
"""Pictures up to this many pixels a side can be drawn, or up to the robot camera's size if that is larger."""
SOLID_GROUPS = (0, 3)
WALKER = "walker"
"""The body of a target that walks."""
TIMESTEP_S = 0.002
_SKIRTING_HEIGHT_M = 0.09
_LOOKS_GROUP, _FOOTPRINT_GROUP = 2, 3
_NEAREST_DRAWN_M = 0.01
_EXTENT_M = 6.0
_SHADOW_CLIP = 1.6
_OVERVIEW_FOV_DEG = 32
"""Narrower, and the sky, which MuJoCo paints 17 m away, hides the floor of a large room."""
_SOLID_FRICTION = (0.1, 0.005, 0.0001)


def model_from_scene(scene: Scene) -> Any:
    """The compiled ``mujoco.MjModel`` of ``scene`` with the robot at the origin."""
    spec = mujoco.MjSpec()
    _set_options(spec, scene)
    _add_sky(spec, scene.wall_surface)
    _add_material(spec, "wall", scene.wall_surface)
    _add_material(spec, "floor", scene.floor_surface)
    spec.worldbody.add_geom(
        name="floor", type=mujoco.mjtGeom.mjGEOM_PLANE, size=(8, 8, 0.5), material="floor", friction=(1, 0.005, 0.0001)
    )
    for wall in scene.walls:
        _add_wall(spec, wall, scene)
    for index, thing in enumerate(scene.objects):
        if scene.walk is not None and thing.name == scene.target:
            _add_object(spec, spec.worldbody.add_body(name=WALKER, mocap=True), index, replace(thing, x_m=0.0, y_m=0.0))
        else:
            _add_object(spec, spec.worldbody, index, thing)
    _add_lighting(spec, scene.lighting)
    add_robot(spec, scene.camera)
    return spec.compile()


def look_name(index: int) -> str:
    """The name of the geom that shows object ``index`` of a scene."""
    return f"look_{index}"


def _set_options(spec: Any, scene: Scene) -> None:
    """MuJoCo draws from ``znear`` times the extent of the model on: both are fixed, so that near things stay whole."""
    spec.option.timestep = TIMESTEP_S
    spec.option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    spec.option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    spec.stat.extent, spec.stat.center = _EXTENT_M, (0, 0, 0)
    spec.visual.map.znear, spec.visual.map.zfar = _NEAREST_DRAWN_M / _EXTENT_M, 4.0
    spec.visual.map.shadowclip = _SHADOW_CLIP
    spec.visual.quality.shadowsize, spec.visual.quality.offsamples = 2048, 4
    spec.visual.global_.fovy = _OVERVIEW_FOV_DEG
    spec.visual.global_.offwidth = max(LARGEST_PICTURE_PX, scene.camera.width_px)
    spec.visual.global_.offheight = max(LARGEST_PICTURE_PX, scene.camera.height_px)


def _add_material(spec: Any, name: str, surface: Surface) -> None:
    pixels = texture_from_surface(surface)
    height_px, width_px, channels = pixels.shape
    texture = spec.add_texture(
        name=name, type=mujoco.mjtTexture.mjTEXTURE_2D, width=width_px, height=height_px, nchannel=channels
    )
    texture.data = pixels.tobytes()
    repeat = 1.0 / surface.tile_m
    material = spec.add_material(name=name, texrepeat=(repeat, repeat), texuniform=True, specular=0.1, shininess=0.1)
    material.textures[mujoco.mjtTextureRole.mjTEXROLE_RGB] = name


def _add_sky(spec: Any, surface: Surface) -> None:
    """What is seen above the walls: a paler tone of them. There is no ceiling, which would keep the light out."""
    pale = tuple(0.35 * channel + 0.62 for channel in surface.light)
    spec.add_texture(
        name="sky", type=mujoco.mjtTexture.mjTEXTURE_SKYBOX, builtin=mujoco.mjtBuiltin.mjBUILTIN_FLAT, rgb1=pale,
        rgb2=pale, width=8, height=8,
    )  # fmt: skip


def _add_wall(spec: Any, wall: Wall, scene: Scene) -> None:
    """A wall and its skirting board. The box lies on its side, because textures run across a box's z axis."""
    plan = wall.footprint
    half_turn, quarter = plan.yaw_rad / 2, math.sqrt(0.5)
    cos, sin = quarter * math.cos(half_turn), quarter * math.sin(half_turn)
    upright = (cos, cos, sin, sin)
    for height_m, grow_m, look in (
        (WALL_HEIGHT_M, 0.0, {"material": "wall"}),
        (_SKIRTING_HEIGHT_M, 0.008, {"rgba": _skirting_rgba(scene.wall_surface), "contype": 0, "conaffinity": 0}),
    ):
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_BOX, pos=(plan.x_m, plan.y_m, height_m / 2), quat=upright,
            size=(plan.half_length_m, height_m / 2, plan.half_width_m + grow_m), friction=_SOLID_FRICTION, **look,
        )  # fmt: skip


def _skirting_rgba(surface: Surface) -> tuple[float, float, float, float]:
    red, green, blue = (0.55 * channel for channel in surface.dark)
    return red, green, blue, 1.0


def _add_object(spec: Any, body: Any, index: int, thing: SceneObject) -> None:
    _add_footprint(body, thing)
    look = {"name": look_name(index), "rgba": (*thing.rgb, 1.0), "group": _LOOKS_GROUP, "contype": 0, "conaffinity": 0}
    place = (thing.x_m, thing.y_m, 0.0)
    if thing.shape in OUTLINES:
        _add_mesh(spec, f"mesh_{index}", thing)
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_MESH, meshname=f"mesh_{index}", pos=place, **look)
    else:
        middle = (thing.x_m, thing.y_m, thing.height_m / 2)
        kind, size = _primitive(thing)
        body.add_geom(type=kind, size=size, pos=middle, quat=_turned(thing.yaw_rad), **look)


def _add_mesh(spec: Any, name: str, thing: SceneObject) -> None:
    vertices, triangles = turned_mesh(thing.shape, thing.radius_m, thing.height_m)
    spec.add_mesh(
        name=name, uservert=vertices.ravel(), userface=triangles.ravel(),
        inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
    )  # fmt: skip


def _add_footprint(body: Any, thing: SceneObject) -> None:
    half_m = thing.height_m / 2
    box = thing.shape == "box"
    body.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX if box else mujoco.mjtGeom.mjGEOM_CYLINDER,
        size=(thing.radius_m, thing.radius_m, half_m) if box else (thing.radius_m, half_m, 0),
        pos=(thing.x_m, thing.y_m, half_m), quat=_turned(thing.yaw_rad), group=_FOOTPRINT_GROUP,
        friction=_SOLID_FRICTION,
    )  # fmt: skip


def _primitive(thing: SceneObject) -> tuple[Any, tuple[float, float, float]]:
    radius_m, half_m = thing.radius_m, thing.height_m / 2
    return {
        "ball": (mujoco.mjtGeom.mjGEOM_SPHERE, (radius_m, 0, 0)),
        "box": (mujoco.mjtGeom.mjGEOM_BOX, (radius_m, radius_m, half_m)),
        "cylinder": (mujoco.mjtGeom.mjGEOM_CYLINDER, (radius_m, half_m, 0)),
    }[thing.shape]


def _turned(yaw_rad: float) -> tuple[float, float, float, float]:
    return math.cos(yaw_rad / 2), 0.0, 0.0, math.sin(yaw_rad / 2)


def _add_lighting(spec: Any, lighting: Lighting) -> None:
    headlight = spec.visual.headlight
    headlight.ambient, headlight.diffuse, headlight.specular = lighting.ambient, (0, 0, 0), (0, 0, 0)
    for index, lamp in enumerate(lighting.lamps):
        spec.worldbody.add_light(
            type=mujoco.mjtLightType.mjLIGHT_DIRECTIONAL, dir=(lamp.x, lamp.y, lamp.z), pos=(0, 0, 4),
            ambient=(0, 0, 0), diffuse=lamp.rgb, specular=(0.3, 0.3, 0.3), castshadow=index == 0,
        )  # fmt: skip
