"""The robot's camera: what it sees, and which object each pixel shows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.sim.gl import missing_gl, mujoco
from vlm_ros.sim.robot_model import CAMERA
from vlm_ros.sim.room_model import look_name
from vlm_ros.sim.scene import ObjectMap
from vlm_ros.sim.world import World

_MOST_GEOMS = 500


class Camera:
    """Draws offscreen; use it from one thread, and close it (or use ``with``) to give its memory back.

    A new GL context takes ten times as long as a new room in the old one: to see many rooms, ``watch`` each.
    """

    def __init__(self, world: World) -> None:
        spec = world.scene.camera
        try:
            self._gl: Any = mujoco.GLContext(spec.width_px, spec.height_px)
        except (ImportError, RuntimeError, OSError, AttributeError) as error:
            raise missing_gl(str(error)) from error
        self._enter(world)

    def watch(self, world: World) -> None:
        """Look into ``world`` from now on; its camera must have the same size in pixels."""
        if world is not self._world:
            self._gl.make_current()
            self._context.free()
            self._enter(world)

    def _enter(self, world: World) -> None:
        self._world = world
        self._gl.make_current()
        self._context: Any = mujoco.MjrContext(world.model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene: Any = mujoco.MjvScene(world.model, _MOST_GEOMS)
        self._option, self._view = mujoco.MjvOption(), mujoco.MjvCamera()
        self._view.type, self._view.fixedcamid = mujoco.mjtCamera.mjCAMERA_FIXED, world.model.camera(CAMERA).id
        self._index_of_geom = {world.model.geom(look_name(i)).id: i for i in range(len(world.scene.objects))}

    def render(self) -> RgbImage:
        """What the camera sees now, shape (height, width, 3)."""
        return self._draw(self._world.scene.lighting.shadows, as_ids=False)

    def render_objects(self) -> ObjectMap:
        """Which object each pixel of ``render`` shows."""
        ids = self._draw(shadows=False, as_ids=True)
        numbers = ids[..., 0] + 256 * ids[..., 1].astype(np.uint16)
        indices: ObjectMap = self._index_of_number()[numbers]
        return indices

    def close(self) -> None:
        """Free the drawing surface; the camera is of no use afterwards."""
        self._gl.make_current()
        self._context.free()
        self._gl.free()

    def __enter__(self) -> Camera:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _draw(self, shadows: bool, as_ids: bool) -> NDArray[np.uint8]:
        spec, flags = self._world.scene.camera, self._scene.flags
        self._gl.make_current()
        mujoco.mjv_updateScene(
            self._world.model, self._world.data, self._option, None, self._view, mujoco.mjtCatBit.mjCAT_ALL.value,
            self._scene,
        )  # fmt: skip
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = as_ids
        area = mujoco.MjrRect(0, 0, spec.width_px, spec.height_px)
        pixels = np.empty((spec.height_px, spec.width_px, 3), np.uint8)
        mujoco.mjr_render(area, self._scene, self._context)
        mujoco.mjr_readPixels(pixels, None, area, self._context)
        return np.ascontiguousarray(pixels[::-1])

    def _index_of_number(self) -> ObjectMap:
        """MuJoCo paints geom number n as colour n + 1, and the background as 0."""
        table = np.full(self._scene.ngeom + 1, -1, np.int8)
        for geom in self._scene.geoms[: self._scene.ngeom]:
            if geom.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[geom.segid + 1] = self._index_of_geom.get(geom.objid, -1)
        return table
