"""The robot's camera: what it sees, and which object each pixel shows."""

from __future__ import annotations

import numpy as np

from vlm_ros.core.frame import RgbImage
from vlm_ros.sim.gl import mujoco
from vlm_ros.sim.renderer import Renderer
from vlm_ros.sim.robot_model import CAMERA
from vlm_ros.sim.room_model import look_name
from vlm_ros.sim.scene import ObjectMap
from vlm_ros.sim.world import World


class Camera:
    """Use it from one thread, and close it (or use ``with``) to give its memory back."""

    def __init__(self, world: World) -> None:
        spec = world.scene.camera
        self._renderer = Renderer(world, spec.width_px, spec.height_px)
        self.watch(world)

    def watch(self, world: World) -> None:
        """Look into ``world`` from now on, much faster than a new camera; it must have the same size in pixels."""
        self._renderer.watch(world)
        self._viewpoint = mujoco.MjvCamera()
        self._viewpoint.type = mujoco.mjtCamera.mjCAMERA_FIXED
        self._viewpoint.fixedcamid = world.model.camera(CAMERA).id
        self._index_of_geom = np.full(world.model.ngeom + 1, -1, np.int8)
        for index in range(len(world.scene.objects)):
            self._index_of_geom[world.model.geom(look_name(index)).id] = index

    def render(self) -> RgbImage:
        """What the camera sees now, shape (height, width, 3)."""
        return self._renderer.draw(self._viewpoint)

    def render_objects(self) -> ObjectMap:
        """Which object each pixel of ``render`` shows."""
        indices: ObjectMap = self._index_of_geom[self._renderer.draw_geoms(self._viewpoint)]
        return indices

    def close(self) -> None:
        """Free the drawing surface; the camera is of no use afterwards."""
        self._renderer.close()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
