"""How a drive goes, by the truth: distance to the target, way driven, bumps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vlm_ros.core.motion import Pose
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.free_space import FreeSpace
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.truth import camera_distance_m
from vlm_ros.sim.world import World


@dataclass(frozen=True)
class Score:
    """The state of a drive.

    ``target_distance_m`` is from the camera along the floor, ``target_in_view`` whether any pixel shows it;
    ``shortest_m`` is the shortest free way from the start to a place near the target. Both distances are
    ``None`` where the room holds no such thing, or no way leads to it.
    """

    seed: int
    target: str
    time_s: float
    pose: Pose
    target_distance_m: float | None
    target_in_view: bool
    collisions: int
    way_m: float
    shortest_m: float | None


class ScoreKeeper:
    """Follows one world from its start; call ``update`` after every step."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        shortest_m = FreeSpace(scene).shortest_path_m(scene.start, scene.target)
        self._shortest_m = shortest_m if math.isfinite(shortest_m) else None
        self.restart()

    def restart(self) -> None:
        """Count from the scene's start again."""
        self._pose = self._scene.start
        self._way_m, self._collisions, self._touching = 0.0, 0, False

    def update(self, world: World) -> None:
        """Count what happened in the last step."""
        pose = world.pose
        self._way_m += math.hypot(pose.x_m - self._pose.x_m, pose.y_m - self._pose.y_m)
        self._collisions += world.touching and not self._touching
        self._pose, self._touching = pose, world.touching

    def score(self, world: World, camera: Camera) -> Score:
        """How it stands now."""
        scene, thing = self._scene, self._scene.target_object
        in_view = thing is not None and bool((camera.render_objects() == scene.objects.index(thing)).any())
        return Score(
            seed=scene.seed,
            target=scene.target,
            time_s=world.time_s,
            pose=world.pose,
            target_distance_m=None if thing is None else camera_distance_m(thing, world.pose),
            target_in_view=in_view,
            collisions=self._collisions,
            way_m=self._way_m,
            shortest_m=self._shortest_m,
        )
