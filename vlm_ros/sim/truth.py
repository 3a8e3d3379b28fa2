"""What is true of one view: each object's place in it, and whether the way ahead is free."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unseen
from vlm_ros.core.things import MOST_THINGS, Thing, ThingsSeen
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import ObjectMap, Scene, SceneObject, camera_position_m

NEAR_M = 0.8
"""An object is near when its surface is closer to the camera than this, measured along the floor."""
VISIBLE_SHARE = 25 / 12_288
"""An object counts as visible from this share of the picture on (0.2 %)."""
CORRIDOR_LENGTH_M = 0.6
CORRIDOR_HALF_WIDTH_M = 0.25
_CORRIDOR_STEP_M = 0.025


@dataclass(frozen=True)
class ObjectTruth:
    """One object of the scene in one view; ``bearing`` is ``None`` where no pixel shows it."""

    color: str
    shape: str
    pixels: int
    visible: bool
    bearing: Bearing | None
    distance_m: float

    @property
    def name(self) -> str:
        """For example ``red ball``."""
        return f"{self.color} {self.shape}"

    @property
    def range(self) -> Range:
        """Near or far, by ``NEAR_M``."""
        return Range.NEAR if self.distance_m < NEAR_M else Range.FAR


@dataclass(frozen=True)
class ViewTruth:
    """The objects in the order of ``scene.objects``, and the way straight ahead."""

    objects: tuple[ObjectTruth, ...]
    path: PathAhead

    @property
    def visible(self) -> tuple[ObjectTruth, ...]:
        """The visible objects, the largest first."""
        seen = [thing for thing in self.objects if thing.visible]
        return tuple(sorted(seen, key=lambda thing: -thing.pixels))


def truth_from_view(scene: Scene, pose: Pose, object_map: ObjectMap) -> ViewTruth:
    """What is true of the view from ``pose`` whose pixels show ``object_map``."""
    objects = tuple(_object_truth(thing, pose, object_map == index) for index, thing in enumerate(scene.objects))
    return ViewTruth(objects, path_ahead(scene, pose))


def percept_from_truth(truth: ViewTruth, target: str, stamp_ns: int) -> Percept:
    """What a perfect observer would report of ``target``."""
    thing = next((thing for thing in truth.visible if thing.name == target), None)
    if thing is None:
        return unseen(target, stamp_ns, truth.path)
    return Percept(target, True, thing.bearing, thing.range, truth.path, 1.0, stamp_ns)


def things_from_truth(truth: ViewTruth, stamp_ns: int) -> ThingsSeen:
    """What a perfect observer would name."""
    seen = [Thing(thing.name, thing.bearing, thing.range) for thing in truth.visible if thing.bearing is not None]
    return ThingsSeen(tuple(seen[:MOST_THINGS]), 1.0, stamp_ns)


def camera_distance_m(thing: SceneObject, pose: Pose) -> float:
    """Metres along the floor from the camera of a robot at ``pose`` to the nearest surface of ``thing``, at least 0."""
    return max(0.0, float(thing.footprint.distance_m(*camera_position_m(pose))))


def path_ahead(scene: Scene, pose: Pose) -> PathAhead:
    """Blocked where anything reaches into the corridor from the robot's front edge 0.6 m ahead, 0.5 m wide."""
    ahead = ROBOT_RADIUS_M + np.arange(0.0, CORRIDOR_LENGTH_M + 1e-9, _CORRIDOR_STEP_M)
    aside = np.arange(-CORRIDOR_HALF_WIDTH_M, CORRIDOR_HALF_WIDTH_M + 1e-9, _CORRIDOR_STEP_M)[:, np.newaxis]
    cos, sin = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
    x_m, y_m = pose.x_m + cos * ahead - sin * aside, pose.y_m + sin * ahead + cos * aside
    blocked = (nearest_distance_m(scene.footprints, x_m, y_m) <= 0.0).any()
    return PathAhead.BLOCKED if blocked else PathAhead.CLEAR


def _object_truth(thing: SceneObject, pose: Pose, mask: np.ndarray) -> ObjectTruth:
    pixels = int(mask.sum())
    return ObjectTruth(
        color=thing.color,
        shape=thing.shape,
        pixels=pixels,
        visible=pixels >= VISIBLE_SHARE * mask.size,
        bearing=_bearing(mask) if pixels else None,
        distance_m=camera_distance_m(thing, pose),
    )


def _bearing(mask: np.ndarray) -> Bearing:
    """The third of the picture in which the middle of the object's pixels lies."""
    middle = (np.nonzero(mask)[1].mean() + 0.5) / mask.shape[1]
    return (Bearing.LEFT, Bearing.CENTER, Bearing.RIGHT)[min(2, int(3 * middle))]
