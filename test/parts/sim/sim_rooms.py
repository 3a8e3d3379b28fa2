"""Hand-made rooms, in which it is plain what must be seen."""

from vlm_ros.core.motion import Pose
from vlm_ros.sim.scene import CameraSpec, Lamp, Lighting, Scene, SceneObject, Surface, Wall

ORIGIN = Pose(0.0, 0.0, 0.0)
GREY = Surface("plain", (0.7, 0.7, 0.7), (0.6, 0.6, 0.6), 1.0, 1)
LIGHT = Lighting((0.5, 0.5, 0.5), (Lamp(0.3, 0.2, -0.9, (0.4, 0.4, 0.4)),), shadows=True)
SMALL_CAMERA = CameraSpec(width_px=96, height_px=72)


def thing(name, x_m, y_m, radius_m=0.15, height_m=0.3, yaw_rad=0.0):
    color, shape = name.split()
    return SceneObject(color, shape, (0.8, 0.1, 0.1), x_m, y_m, yaw_rad, radius_m, height_m)


def room(*objects, walls=(), start=ORIGIN, target="red ball", camera=SMALL_CAMERA):
    """A room of 6 m by 4 m around the origin with ``objects`` and inner ``walls`` in it."""
    outline = (Wall(-3, -2, 3, -2), Wall(3, -2, 3, 2), Wall(3, 2, -3, 2), Wall(-3, 2, -3, -2))
    return Scene(0, (*outline, *walls), GREY, GREY, LIGHT, tuple(objects), start, camera, target)
