"""A stand-in for a small model's eyes: the truth, spoilt the way such models were measured to spoil it."""

from __future__ import annotations

import math

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unseen
from vlm_ros.core.things import ThingsSeen
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.scene import ObjectMap, Scene, SceneObject
from vlm_ros.sim.truth import NEAR_M, camera_distance_m, path_ahead
from vlm_ros.sim.world import World

_FAINT_SHARE, _CLEAR_SHARE = 60 / 9216, 500 / 9216
_FAINT_RECALL, _CLEAR_RECALL = 0.26, 0.88
_SAME_COLOR_ALARM, _OTHER_ALARM = 0.2, 0.02
_SAME_SHAPE_ALARM = 0.06
_BEARING_ERROR = 0.05
_RANGE_ERROR = 0.12
_PATH_ERROR = 0.13
_STUBBORN = 0.7
"""Share of errors that come back whenever the robot stands where it stood; the rest flicker from frame to frame."""
_PLACE_M, _PLACE_RAD = 0.25, math.radians(12.0)


class FakeSource:
    """Misses small things, takes one thing for another, errs at the borders between left, centre and right.

    Figures from a 3.4 M-parameter model that was trained for 38 minutes: a floor for what to expect.
    The same ``seed`` in the same scene gives the same errors.
    """

    needs_colors = False

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._frames = 0

    def percept(self, world: World, camera: Camera, target: str, stamp_ns: int) -> Percept:
        """The truth about the view, spoilt."""
        self._frames += 1
        rng = self._errors_at(world.pose)
        path = path_ahead(world.scene, world.pose)
        if rng.uniform() < _PATH_ERROR:
            path = PathAhead.CLEAR if path is PathAhead.BLOCKED else PathAhead.BLOCKED
        object_map = camera.render_objects()
        seen = [
            (int((object_map == index).sum()), index)
            for index, thing in enumerate(world.scene.objects)
            if rng.uniform() < _chance(thing, target, float((object_map == index).mean()))
        ]
        if not seen:
            return unseen(target, stamp_ns, path)
        index = max(seen)[1]
        bearing, distance = _place(world.scene, world.pose, object_map, index, rng)
        return Percept(target, True, bearing, distance, path, 1.0, stamp_ns)

    def things(self, world: World, camera: Camera, stamp_ns: int) -> ThingsSeen | None:
        """It finds, and names nothing."""
        return None

    def _errors_at(self, pose: Pose) -> np.random.Generator:
        """Chance as it falls here: mostly the same at the same place."""
        flickers = np.random.default_rng([self._seed, self._frames]).uniform() > _STUBBORN
        place = [round(pose.x_m / _PLACE_M), round(pose.y_m / _PLACE_M), round(pose.yaw_rad / _PLACE_RAD)]
        return np.random.default_rng([self._seed, *(part + 1000 for part in place), self._frames * flickers])


def _chance(thing: SceneObject, target: str, share: float) -> float:
    """Probability that ``thing``, which fills ``share`` of the picture, is reported as the target."""
    if share == 0.0:
        return 0.0
    clear = (math.log(share) - math.log(_FAINT_SHARE)) / (math.log(_CLEAR_SHARE) - math.log(_FAINT_SHARE))
    recall = _FAINT_RECALL + (_CLEAR_RECALL - _FAINT_RECALL) * min(max(clear, -0.3), 1.1)
    if thing.name == target:
        return recall
    color, shape = target.split()
    alarm = _SAME_COLOR_ALARM if thing.color == color else _SAME_SHAPE_ALARM if thing.shape == shape else _OTHER_ALARM
    return alarm * recall


def _place(
    scene: Scene, pose: Pose, object_map: ObjectMap, index: int, rng: np.random.Generator
) -> tuple[Bearing, Range]:
    middle = np.nonzero(object_map == index)[1].mean() / object_map.shape[1] + rng.normal(0.0, _BEARING_ERROR)
    bearing = (Bearing.LEFT, Bearing.CENTER, Bearing.RIGHT)[int(min(max(3 * middle, 0), 2))]
    distance_m = camera_distance_m(scene.objects[index], pose) * (1.0 + rng.normal(0.0, _RANGE_ERROR))
    return bearing, Range.NEAR if distance_m < NEAR_M else Range.FAR
