"""A target that moves: it walks, turns, pauses, goes behind things, and gives way to the robot."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.sim.footprint import nearest_distance_m
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import Scene, Walk

GIVE_WAY_M = 0.3
"""Gap to the robot below which a walking target comes no closer."""
PAUSE_S = (1.0, 4.0)
HIDDEN_S = 2.0
"""A target that passes behind something is out of the sight of a robot that stands still for at most so long."""
_PAUSE_SHARE, _PASSING_SHARE = 0.3, 0.5
_LEG_M = (0.6, 3.0)
_BESIDE_M = 0.12
_STEP_M = 0.08
_TRIES, _CHOICE = 120, 25

Point = tuple[float, float]


class Walker:
    """Leads the target of ``scene`` from one drawn corner to the next, straight, with room for the robot to follow.

    Half of its ways, if there are such, pass behind something, where the robot does not see it for up to two
    seconds; where it can, it ends a way in the robot's sight.
    """

    def __init__(self, scene: Scene, walk: Walk) -> None:
        self._scene, self._walk = scene, walk
        thing = scene.target_object
        assert thing is not None, "a walking target is in the scene"
        self._index, self._at = scene.objects.index(thing), (thing.x_m, thing.y_m)
        self._others = scene.footprints_without(thing)
        self._beside_m = max(thing.reach_m, ROBOT_RADIUS_M) + _BESIDE_M
        self._apart_m = ROBOT_RADIUS_M + thing.reach_m + GIVE_WAY_M
        self._rng = np.random.default_rng(walk.seed)
        self._to, self._pause_s = self._at, 0.0

    @property
    def scene(self) -> Scene:
        """The scene with the target where it is now."""
        objects = list(self._scene.objects)
        objects[self._index] = replace(objects[self._index], x_m=self._at[0], y_m=self._at[1])
        return replace(self._scene, objects=tuple(objects))

    def step(self, robot: Pose, dt_s: float) -> None:
        """Walk on for ``dt_s`` with the robot at ``robot``."""
        if self._pause_s > 0.0:
            self._pause_s -= dt_s
            return
        place = robot.x_m, robot.y_m
        if math.dist(self._at, self._to) < 1e-6 or not self._clear_of(place, self._to):
            self._turn(place)
            return
        share = min(1.0, self._walk.speed_mps * dt_s / math.dist(self._at, self._to))
        self._at = _between(self._at, self._to, share)

    def _turn(self, robot: Point) -> None:
        """Choose the next way, and perhaps stand a while before it."""
        ways = list(islice(self._ways(robot), _CHOICE))
        hidden_s = [self._hidden_s(robot, to) for to in ways]
        short = [to for to, away_s in zip(ways, hidden_s, strict=True) if away_s <= HIDDEN_S]
        passing = [to for to, away_s in zip(ways, hidden_s, strict=True) if 0.0 < away_s <= HIDDEN_S]
        choices = passing if passing and self._rng.uniform() < _PASSING_SHARE else short or ways
        if choices:
            self._to = choices[int(self._rng.integers(len(choices)))]
        if not choices or self._rng.uniform() < _PAUSE_SHARE:
            self._pause_s = self._rng.uniform(*PAUSE_S)

    def _hidden_s(self, robot: Point, to: Point) -> float:
        """How long something stands between it and the robot on the way to ``to``; infinite if so at the end."""
        along = np.linspace(0.0, 1.0, 2 + int(math.dist(self._at, to) / _STEP_M))
        xs, ys = (start + along * (end - start) for start, end in zip(self._at, to, strict=True))
        sight = np.linspace(0.0, 1.0, 40)[:, np.newaxis]
        lines = robot[0] + sight * (xs - robot[0]), robot[1] + sight * (ys - robot[1])
        hidden = np.any(nearest_distance_m(self._others, *lines) <= 0.0, axis=0)
        return math.inf if hidden[-1] else float(hidden.sum() * _STEP_M / self._walk.speed_mps)

    def _ways(self, robot: Point) -> Iterator[Point]:
        """Ends of ways on which target and robot fit between all things, past the robot too."""
        low_x, low_y, high_x, high_y = self._scene.bounds_m
        for _ in range(_TRIES):
            to = float(self._rng.uniform(low_x, high_x)), float(self._rng.uniform(low_y, high_y))
            long_enough = _LEG_M[0] <= math.dist(self._at, to) <= _LEG_M[1]
            if long_enough and self._clear_of(robot, to) and self._gap_m(self._at, to) >= self._beside_m:
                yield to

    def _clear_of(self, robot: Point, to: Point) -> bool:
        """Whether the straight way to ``to`` keeps its distance from the robot, or at least comes no closer."""
        (x, y), (along_x, along_y) = self._at, (to[0] - self._at[0], to[1] - self._at[1])
        share = ((robot[0] - x) * along_x + (robot[1] - y) * along_y) / max(along_x**2 + along_y**2, 1e-9)
        nearest = _between(self._at, to, min(max(share, 0.0), 1.0))
        return math.dist(nearest, robot) >= min(self._apart_m, math.dist(self._at, robot) - 1e-6)

    def _gap_m(self, start: Point, end: Point) -> float:
        """Smallest distance from the straight line between two points to any other thing."""
        share = np.linspace(0.0, 1.0, 2 + int(math.dist(start, end) / _STEP_M))
        xs, ys = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
        return float(nearest_distance_m(self._others, xs, ys).min())


def _between(start: Point, end: Point, share: float) -> Point:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
