"""What a run was worth, measured on the simulated world itself."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlm_ros.core.motion import Pose
from vlm_ros.core.things import ThingPlaced
from vlm_ros.navigation.policy import Outcome
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.truth import NEAR_M, camera_distance_m

NEAR_SLACK_M = 0.3
"""A robot that says found may stand this much further away than where the truth says near."""


@dataclass(frozen=True)
class EpisodeResult:
    """What happened. ``figures`` are the judge's (``judges.py``); both tracks hold a point for every step.

    ``touches`` are the places where the robot began to touch something, ``said`` are the things that it says to have
    seen, at the places in the room where it says that they are.
    """

    seed: int
    task: str
    target: str
    outcome: Outcome | None
    success: bool
    figures: Mapping[str, float]
    touches: tuple[tuple[float, float], ...]
    way_m: float
    time_s: float
    timed_out: bool
    decisions: int
    track: tuple[Pose, ...]
    target_track: tuple[tuple[float, float], ...] = ()
    said: tuple[ThingPlaced, ...] = ()

    @property
    def collisions(self) -> int:
        """How often the robot touched something."""
        return len(self.touches)

    @property
    def wrong_stop(self) -> bool:
        """The robot said found where it was not true."""
        return self.outcome is Outcome.FOUND and not self.success

    @property
    def spl(self) -> float:
        """See ``success_by_path_length``; 0 where nothing was searched for."""
        return self.figures.get("spl", 0.0)


def success_by_path_length(success: bool, way_m: float, shortest_m: float | None) -> float:
    """Success weighted by path length (Anderson et al., "On Evaluation of Embodied Navigation Agents", 2018).

    0 without success, and where there is no shortest way.
    """
    return shortest_m / max(way_m, shortest_m) if success and shortest_m is not None else 0.0


def stands_before(scene: Scene, pose: Pose, camera: Camera) -> bool:
    """Whether the target is near ``pose``, give or take the slack, and in the picture."""
    thing = scene.target_object
    if thing is None or camera_distance_m(thing, pose) > NEAR_M + NEAR_SLACK_M:
        return False
    return bool((camera.render_objects() == scene.objects.index(thing)).any())


def way_length_m(track: Sequence[Pose]) -> float:
    """Metres driven along ``track``."""
    pairs = zip(track[:-1], track[1:], strict=True)
    return sum(math.hypot(after.x_m - before.x_m, after.y_m - before.y_m) for before, after in pairs)
