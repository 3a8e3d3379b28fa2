"""The robot as MuJoCo bodies: a round base on two driven wheels and two sliding casters."""

from __future__ import annotations

import math
from typing import Any

from vlm_ros.sim.gl import mujoco
from vlm_ros.sim.robot import CAMERA_FORWARD_M, ROBOT_RADIUS_M, TRACK_M, WHEEL_RADIUS_M
from vlm_ros.sim.scene import CameraSpec

ROBOT_GROUP = 1
BASE = "base"
CAMERA = "camera"
WHEELS = ("left_wheel", "right_wheel")
_CASTER_RADIUS_M = 0.015
_CASTER_LIFT_M = 0.001
_WHEEL_FRICTION = (1.2, 0.005, 0.0001)
_DARK, _LIGHT = (0.16, 0.17, 0.19, 1.0), (0.86, 0.87, 0.88, 1.0)


def add_robot(spec: Any, camera: CameraSpec) -> None:
    """Add the robot to an ``MjSpec``, its base frame on the floor at the origin, looking along x."""
    base = spec.worldbody.add_body(name=BASE)
    base.add_freejoint()
    _add_shell(base)
    for name, side in zip(WHEELS, (1, -1), strict=True):
        _add_wheel(spec, base, name, side * TRACK_M / 2)
    for x_m in (0.13, -0.13):
        _add_caster(base, x_m)
    _add_camera(base, camera)


def _add_shell(base: Any) -> None:
    """What bumps into things. Slippery, so that the robot slides along a wall instead of climbing it."""
    base.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=(ROBOT_RADIUS_M, 0.045, 0), pos=(0, 0, 0.075), mass=3.4,
        friction=(0.1, 0.005, 0.0001), rgba=_DARK, group=ROBOT_GROUP,
    )  # fmt: skip
    base.add_geom(
        type=mujoco.mjtGeom.mjGEOM_CYLINDER, size=(0.9 * ROBOT_RADIUS_M, 0.004, 0), pos=(0, 0, 0.124), mass=0,
        contype=0, conaffinity=0, rgba=_LIGHT, group=ROBOT_GROUP,
    )  # fmt: skip


def _add_wheel(spec: Any, base: Any, name: str, y_m: float) -> None:
    """A driven wheel. Rounded, because one that stands on its whole width scrubs when the robot turns."""
    wheel = base.add_body(name=name, pos=(0, y_m, WHEEL_RADIUS_M))
    wheel.add_joint(name=name, type=mujoco.mjtJoint.mjJNT_HINGE, axis=(0, 1, 0))
    quarter = math.sqrt(0.5)
    wheel.add_geom(
        type=mujoco.mjtGeom.mjGEOM_ELLIPSOID, size=(WHEEL_RADIUS_M, WHEEL_RADIUS_M, 0.015), mass=0.3,
        quat=(quarter, quarter, 0, 0), friction=_WHEEL_FRICTION, rgba=_DARK, group=ROBOT_GROUP,
    )  # fmt: skip
    motor = spec.add_actuator(name=name, target=name, trntype=mujoco.mjtTrn.mjTRN_JOINT)
    motor.set_to_velocity(kv=0.5)
    motor.forcelimited, motor.forcerange = True, (-0.5, 0.5)


def _add_caster(base: Any, x_m: float) -> None:
    """A frictionless foot (condim 1 wins by priority), lifted a little: otherwise it takes weight off the wheels."""
    base.add_geom(
        type=mujoco.mjtGeom.mjGEOM_SPHERE, size=(_CASTER_RADIUS_M, 0, 0), mass=0.05, condim=1, priority=1,
        pos=(x_m, 0, _CASTER_RADIUS_M + _CASTER_LIFT_M), rgba=_DARK, group=ROBOT_GROUP,
    )  # fmt: skip


def _add_camera(base: Any, camera: CameraSpec) -> None:
    """The camera on its mast. MuJoCo's cameras look along -z, with x to the right and y up."""
    mast_m = (camera.height_m - 0.12) / 2
    for geom, size, pos in (
        (mujoco.mjtGeom.mjGEOM_CYLINDER, (0.012, mast_m, 0), (CAMERA_FORWARD_M - 0.035, 0, 0.12 + mast_m)),
        (mujoco.mjtGeom.mjGEOM_BOX, (0.02, 0.045, 0.018), (CAMERA_FORWARD_M - 0.03, 0, camera.height_m)),
    ):
        base.add_geom(type=geom, size=size, pos=pos, mass=0, contype=0, conaffinity=0, rgba=_DARK, group=ROBOT_GROUP)
    place = (CAMERA_FORWARD_M, 0, camera.height_m)
    base.add_camera(name=CAMERA, pos=place, fovy=camera.vertical_fov_deg, quat=_looking_ahead(camera.pitch_deg))


def _looking_ahead(pitch_deg: float) -> tuple[float, float, float, float]:
    """The quaternion (w, x, y, z) of a camera that looks along x, tilted down by ``pitch_deg``."""
    half_rad = math.radians(pitch_deg) / 2
    total, difference = math.cos(half_rad) + math.sin(half_rad), math.cos(half_rad) - math.sin(half_rad)
    return total / 2, difference / 2, -difference / 2, -total / 2
