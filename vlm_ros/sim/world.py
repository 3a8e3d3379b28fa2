"""A scene in motion: the robot drives in it by real physics, bumps, and scans."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.motion import Odometry, Pose, Scan, Velocity
from vlm_ros.sim.encoders import DeadReckoning
from vlm_ros.sim.gl import mujoco
from vlm_ros.sim.robot import LASER_HEIGHT_M, TRACK_M, WHEEL_RADIUS_M
from vlm_ros.sim.robot_model import BASE, WHEELS
from vlm_ros.sim.room_model import SOLID_GROUPS, TIMESTEP_S, model_from_scene
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.walk import Walker

SCAN_BEAMS = 180
SCAN_MIN_M, SCAN_MAX_M = 0.05, 8.0


class World:
    """The room of ``scene`` with the robot at its start. The same commands always give the same motion.

    A target that walks does so while the world is stepped: ``scene`` shows where it is now.

    ``encoder_noise`` and ``encoder_seed`` are for ``odometry``, see ``DeadReckoning``.
    """

    def __init__(self, scene: Scene, *, encoder_noise: float = 0.0, encoder_seed: int = 0) -> None:
        self.scene = scene
        self.model: Any = model_from_scene(scene)
        self.data: Any = mujoco.MjData(self.model)
        self._encoder_noise, self._encoder_seed = encoder_noise, encoder_seed
        self._base = self.model.body(BASE).id
        self._wheels = [int(self.model.joint(name).qposadr[0]) for name in WHEELS]
        self._solid = np.isin(self.model.geom_group, SOLID_GROUPS)
        self._solid[self.model.geom("floor").id] = False
        self.touching = False
        self._walker = None if scene.walk is None else Walker(scene, scene.walk)
        self._show_walker()
        self.place(scene.start)

    def place(self, pose: Pose) -> None:
        """Put the robot down at ``pose``, at rest; odometry starts there anew."""
        self.data.qpos[:7] = (
            *(pose.x_m, pose.y_m, 0.0),
            *(math.cos(pose.yaw_rad / 2), 0.0, 0.0, math.sin(pose.yaw_rad / 2)),
        )
        self.data.qvel[:], self.data.ctrl[:], self.data.qacc_warmstart[:] = 0.0, 0.0, 0.0
        mujoco.mj_forward(self.model, self.data)
        self.touching = self._touches()
        self._reckoning = DeadReckoning(pose, *self._wheels_rad, self._encoder_noise, self._encoder_seed)

    def step(self, velocity: Velocity, dt_s: float) -> None:
        """Drive at ``velocity`` for ``dt_s`` seconds, rounded to whole steps of 2 ms."""
        turning_mps = velocity.angular_radps * TRACK_M / 2
        self.data.ctrl[:] = (
            (velocity.linear_mps - turning_mps) / WHEEL_RADIUS_M,
            (velocity.linear_mps + turning_mps) / WHEEL_RADIUS_M,
        )
        self.touching = False
        for _ in range(round(dt_s / TIMESTEP_S)):
            mujoco.mj_step(self.model, self.data)
            self.touching = self.touching or self._touches()
        self._reckoning.update(*self._wheels_rad)
        if self._walker is not None:
            self._walker.step(self.pose, dt_s)
            self._show_walker()

    def _show_walker(self) -> None:
        """Put the target where it has walked to."""
        if self._walker is not None:
            self.scene = self._walker.scene
            thing = self.scene.target_object
            assert thing is not None, "a walking target is in the scene"
            self.data.mocap_pos[0, :2] = thing.x_m, thing.y_m

    @property
    def time_s(self) -> float:
        """Simulated seconds since the world began."""
        return float(self.data.time)

    @property
    def pose(self) -> Pose:
        """Where the robot truly is."""
        x_m, y_m = self.data.qpos[:2]
        w, x, y, z = self.data.qpos[3:7]
        return Pose(float(x_m), float(y_m), math.atan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))

    @property
    def velocity(self) -> Velocity:
        """How the robot truly moves: forwards, and about the vertical."""
        yaw_rad = self.pose.yaw_rad
        x_mps, y_mps = self.data.qvel[:2]
        return Velocity(float(x_mps * math.cos(yaw_rad) + y_mps * math.sin(yaw_rad)), float(self.data.qvel[5]))

    def odometry(self) -> Odometry:
        """What the wheel encoders say, in the room's frame: it starts true and drifts with slip and noise."""
        return Odometry(self._reckoning.pose, self.velocity, self.time_s)

    def scan(self) -> Scan:
        """A full turn of the laser above the robot's middle, 180 beams; inf: nothing in range, -inf: too close."""
        step_rad = 2 * math.pi / SCAN_BEAMS
        angles = -math.pi + step_rad * np.arange(SCAN_BEAMS)
        ranges_m = self._cast(self.pose.yaw_rad + angles)
        ranges_m[(ranges_m < 0.0) | (ranges_m > SCAN_MAX_M)] = np.inf
        ranges_m[ranges_m < SCAN_MIN_M] = -np.inf
        return Scan(ranges_m.astype(np.float32), -math.pi, step_rad, SCAN_MIN_M, SCAN_MAX_M, self.time_s)

    def _cast(self, angles_rad: NDArray[Any]) -> NDArray[np.float64]:
        """Distances along horizontal rays in the room's frame, -1 where a ray meets nothing."""
        pose, count = self.pose, len(angles_rad)
        rays = np.stack([np.cos(angles_rad), np.sin(angles_rad), np.zeros(count)], axis=-1).ravel()
        groups = np.isin(np.arange(6), SOLID_GROUPS).astype(np.uint8)
        geoms, distances_m = np.empty(count, np.int32), np.empty(count)
        eye = np.array([pose.x_m, pose.y_m, LASER_HEIGHT_M])
        mujoco.mj_multiRay(
            self.model, self.data, eye, rays, groups, True, self._base, geoms, distances_m, None, count, SCAN_MAX_M
        )
        return distances_m

    @property
    def _wheels_rad(self) -> tuple[float, float]:
        left, right = self._wheels
        return float(self.data.qpos[left]), float(self.data.qpos[right])

    def _touches(self) -> bool:
        return bool(self._solid[self.data.contact.geom].any())
