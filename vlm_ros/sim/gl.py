"""MuJoCo itself, imported with a way of drawing that needs no display: EGL, or OSMesa where EGL is missing."""

from __future__ import annotations

import ctypes
import os

from vlm_ros.core.errors import MissingLibrary, require

PACKAGES = "libegl1 libegl-mesa0 libgl1-mesa-dri libosmesa6"
_LIBRARIES = {"egl": ("libEGL.so.1",), "osmesa": ("libOSMesa.so.8", "libOSMesa.so.6")}


def choose_gl() -> str:
    """What MuJoCo is to draw with: the variable MUJOCO_GL where it is set, else what this machine has.

    Raises ``MissingLibrary`` where there is neither.
    """
    if chosen := os.environ.get("MUJOCO_GL"):
        return chosen
    for name, libraries in _LIBRARIES.items():
        if any(_loads(library) for library in libraries):
            return name
    raise missing_gl("neither EGL nor OSMesa was found")


def missing_gl(cause: str) -> MissingLibrary:
    """The error that tells how to make the room drawable."""
    return MissingLibrary(f"the simulated room cannot be drawn ({cause}): sudo apt-get install {PACKAGES}")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


os.environ["MUJOCO_GL"] = choose_gl()
# Mesa maps its cache of shaders into memory: on a full disk, the kernel ends the whole process for that (SIGBUS).
os.environ.setdefault("MESA_SHADER_CACHE_DISABLE", "true")
mujoco = require("mujoco", "pip install 'vlm_ros[sim]'")
