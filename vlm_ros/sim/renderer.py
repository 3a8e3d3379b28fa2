"""MuJoCo's drawing, offscreen."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.frame import RgbImage
from vlm_ros.sim.gl import missing_gl, mujoco
from vlm_ros.sim.world import World

_MOST_GEOMS = 500


class Renderer:
    """Draws a world from any viewpoint; use it from one thread, and close it to give its memory back.

    A new one takes ten times as long as a new room in the old one: to see many rooms, ``watch`` each.
    """

    def __init__(self, world: World, width_px: int, height_px: int) -> None:
        self._width_px, self._height_px = width_px, height_px
        try:
            self._gl: Any = mujoco.GLContext(width_px, height_px)
            self._enter(world)
        except (ImportError, RuntimeError, OSError, AttributeError, mujoco.FatalError) as error:
            raise missing_gl(str(error)) from error

    def watch(self, world: World) -> None:
        """Draw ``world`` from now on."""
        if world is not self.world:
            self._gl.make_current()
            self._context.free()
            self._enter(world)

    def _enter(self, world: World) -> None:
        self.world = world
        self._gl.make_current()
        self._context: Any = mujoco.MjrContext(world.model, mujoco.mjtFontScale.mjFONTSCALE_50.value)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN.value, self._context)
        self._scene: Any = mujoco.MjvScene(world.model, _MOST_GEOMS)
        self._option = mujoco.MjvOption()

    def draw(self, viewpoint: Any) -> RgbImage:
        """The picture from a ``mujoco.MjvCamera``, shape (height, width, 3)."""
        return self._draw(viewpoint, self.world.scene.lighting.shadows, numbered=False)

    def draw_geoms(self, viewpoint: Any) -> NDArray[np.int32]:
        """The id of the geom that each pixel of ``draw`` shows, -1 for none; shape (height, width)."""
        colors = self._draw(viewpoint, shadows=False, numbered=True).astype(np.int32)
        geoms: NDArray[np.int32] = self._geom_of_number()[colors @ (1, 256, 65_536)]
        return geoms

    def close(self) -> None:
        """Free the drawing surface; nothing can be drawn afterwards."""
        self._gl.make_current()
        self._context.free()
        self._gl.free()

    def _draw(self, viewpoint: Any, shadows: bool, numbered: bool) -> RgbImage:
        self._gl.make_current()
        everything = mujoco.mjtCatBit.mjCAT_ALL.value
        mujoco.mjv_updateScene(
            self.world.model, self.world.data, self._option, None, viewpoint, everything, self._scene
        )
        flags = self._scene.flags
        flags[mujoco.mjtRndFlag.mjRND_SHADOW] = shadows
        flags[mujoco.mjtRndFlag.mjRND_SEGMENT] = flags[mujoco.mjtRndFlag.mjRND_IDCOLOR] = numbered
        area = mujoco.MjrRect(0, 0, self._width_px, self._height_px)
        pixels = np.empty((self._height_px, self._width_px, 3), np.uint8)
        mujoco.mjr_render(area, self._scene, self._context)
        mujoco.mjr_readPixels(pixels, None, area, self._context)
        return np.ascontiguousarray(pixels[::-1])

    def _geom_of_number(self) -> NDArray[np.int32]:
        """MuJoCo numbers what it draws, and paints number n as colour n + 1 and the background as 0."""
        table = np.full(self._scene.ngeom + 1, -1, np.int32)
        for drawn in self._scene.geoms[: self._scene.ngeom]:
            if drawn.objtype == mujoco.mjtObj.mjOBJ_GEOM:
                table[drawn.segid + 1] = drawn.objid
        return table
