"""Who watches a run and says what it was worth: one judge for each kind of task."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from vlm_ros.core.things import ThingPlaced
from vlm_ros.evaluation.coverage import Coverage
from vlm_ros.evaluation.metrics import stands_before, success_by_path_length
from vlm_ros.navigation.navigator import Mode
from vlm_ros.navigation.policy import Outcome
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.free_space import FreeSpace
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.truth import VISIBLE_SHARE, camera_distance_m
from vlm_ros.sim.world import World

WATCH_S = 0.2
"""How often a judge looks."""
EXPLORED_SHARE = 0.9
"""Share of the free floor that an explorer is to see."""
SEARCHED_SHARE = 0.8
"""Share of the free floor to have seen before "not found" is no guess: turning on the spot shows two thirds."""
LOST_S = 3.0
"""A follower whose target is out of the picture for longer than this has lost it."""


@dataclass(frozen=True)
class Ending:
    """A run at its end; ``said`` are the things that were named, at their places in the room."""

    world: World
    camera: Camera
    outcome: Outcome | None
    way_m: float
    said: tuple[ThingPlaced, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """Whether the task was done, and how well, by name."""

    success: bool
    figures: Mapping[str, float]


class Judge(Protocol):
    """Watches one run every ``WATCH_S`` seconds."""

    task: str

    def watch(self, world: World, camera: Camera) -> None:
        """Look at the run as it is now."""

    def verdict(self, ending: Ending) -> Verdict:
        """What it was worth."""


def judge_for(mode: Mode, scene: Scene) -> Judge:
    """Who judges a run in ``mode``: a search for what is not there is another task than one for what is."""
    if mode is Mode.FOLLOW:
        return FollowJudge()
    if mode is Mode.EXPLORE:
        return ExploreJudge(scene)
    return AbsentJudge(scene) if scene.target_object is None else SearchJudge(scene)


class SearchJudge:
    """Found, where it is true, and by how short a way."""

    task = "search"

    def __init__(self, scene: Scene) -> None:
        self._shortest_m = FreeSpace(scene).shortest_path_m(scene.start, scene.target)

    def watch(self, world: World, camera: Camera) -> None:
        """Nothing to see before the end."""

    def verdict(self, ending: Ending) -> Verdict:
        """``spl``, and the length of the shortest way."""
        world = ending.world
        success = ending.outcome is Outcome.FOUND and stands_before(world.scene, world.pose, ending.camera)
        spl = success_by_path_length(success, ending.way_m, self._shortest_m)
        return Verdict(success, {"spl": spl, "shortest_m": self._shortest_m})


class AbsentJudge:
    """Said to be not there, after a look at the floor."""

    task = "absent"

    def __init__(self, scene: Scene) -> None:
        self._coverage = Coverage(scene)

    def watch(self, world: World, camera: Camera) -> None:
        """Count the floor that is in view."""
        self._coverage.look(world.pose)

    def verdict(self, ending: Ending) -> Verdict:
        """``not_found``, whether that was said, and ``floor_seen``. A guess without having looked is no success."""
        said = ending.outcome is Outcome.NOT_FOUND
        seen = self._coverage.share
        return Verdict(said and seen >= SEARCHED_SHARE, {"not_found": float(said), "floor_seen": seen})


class ExploreJudge:
    """Most of the floor seen, and what is there named."""

    task = "explore"

    def __init__(self, scene: Scene) -> None:
        self._coverage = Coverage(scene)

    def watch(self, world: World, camera: Camera) -> None:
        """Count the floor that is in view."""
        self._coverage.look(world.pose)

    def verdict(self, ending: Ending) -> Verdict:
        """``floor_seen``, and ``naming_figures``, which decide nothing: not every model names things."""
        figures = {"floor_seen": self._coverage.share, **naming_figures(ending.world.scene, ending.said)}
        return Verdict(self._coverage.share >= EXPLORED_SHARE, figures)


def naming_figures(scene: Scene, said: Sequence[ThingPlaced]) -> dict[str, float]:
    """How well ``said`` tells what is in ``scene``.

    ``named`` is the share of the objects whose name was said, ``named_wrongly`` how many names were said of nothing
    that is there, and ``place_error_m`` the median distance from the said place to the object's middle; it is left
    out where no object was named.
    """
    there = {thing.name: thing for thing in scene.objects}
    named = [thing for thing in said if thing.name in there]
    figures = {"named": len(named) / max(1, len(there)), "named_wrongly": float(len(said) - len(named))}
    errors_m = [math.hypot(thing.x_m - there[thing.name].x_m, thing.y_m - there[thing.name].y_m) for thing in named]
    return {**figures, "place_error_m": statistics.median(errors_m)} if errors_m else figures


class FollowJudge:
    """Never long without the target in the picture."""

    task = "follow"

    def __init__(self) -> None:
        self._seen_s = self._longest_s = 0.0
        self._distances_m: list[float] = []
        self._looks = 0

    def watch(self, world: World, camera: Camera) -> None:
        """Is the target visible, and how far is it?"""
        thing = world.scene.target_object
        assert thing is not None, "what is followed is in the room"
        self._looks += 1
        if (camera.render_objects() == world.scene.objects.index(thing)).mean() >= VISIBLE_SHARE:
            self._seen_s = world.time_s
            self._distances_m.append(camera_distance_m(thing, world.pose))
        self._longest_s = max(self._longest_s, world.time_s - self._seen_s)

    def verdict(self, ending: Ending) -> Verdict:
        """``longest_loss_s``; ``hidden``, the share of time out of the picture; the distances while it was in it."""
        distances_m = self._distances_m or [float("nan")]
        return Verdict(
            self._longest_s <= LOST_S,
            {
                "longest_loss_s": self._longest_s,
                "hidden": 1.0 - len(self._distances_m) / self._looks,
                "distance_m": sum(distances_m) / len(distances_m),
                "nearest_m": min(distances_m),
            },
        )
