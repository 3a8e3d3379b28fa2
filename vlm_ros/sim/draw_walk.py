"""Walks from a seed: a target that walks, turns, pauses, and now and then goes behind something."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.sim.footprint import Footprint, nearest_distance_m
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import Scene, footprints_of
from vlm_ros.sim.walk import Walk

SPEED_MPS = (0.15, 0.30)
PAUSE_S = (1.0, 4.0)
_PAUSE_SHARE, _HIDING_SHARE = 0.35, 0.5
_LEG_M = (0.6, 3.0)
_START_M = (1.0, 1.6)
_LASTING_S = 240.0
_MARGIN_M = 0.12
_FOLLOWER_M = 1.2
_CANDIDATES = 60

Point = tuple[float, float]


def with_walking_target(scene: Scene) -> Scene:
    """``scene`` with a target that walks, and the robot's start 1.0 to 1.6 m before it, facing it."""
    thing = scene.target_object
    assert thing is not None, "a target that walks is in the scene"
    rng = np.random.default_rng([scene.seed, 3])
    others = footprints_of(scene.walls, (other for other in scene.objects if other is not thing))
    reach_m = thing.radius_m * (math.sqrt(2) if thing.shape == "box" else 1.0)
    clearance_m = max(reach_m, ROBOT_RADIUS_M) + _MARGIN_M
    start = _draw_start(rng, others, (thing.x_m, thing.y_m), clearance_m)
    points = _draw_points(rng, scene, others, (thing.x_m, thing.y_m), clearance_m)
    return replace(scene, start=start, walk=_timed(rng, points))


def _draw_start(rng: np.random.Generator, others: tuple[Footprint, ...], at: Point, clearance_m: float) -> Pose:
    """A free place that sees the target."""
    while True:
        angle_rad, away_m = rng.uniform(-math.pi, math.pi), rng.uniform(*_START_M)
        place = at[0] + away_m * math.cos(angle_rad), at[1] + away_m * math.sin(angle_rad)
        if _gap_m(others, at, place) >= clearance_m:
            return Pose(*place, math.remainder(angle_rad + math.pi, 2 * math.pi))


def _draw_points(
    rng: np.random.Generator, scene: Scene, others: tuple[Footprint, ...], at: Point, clearance_m: float
) -> Iterator[Point]:
    """The corners of a walk without end, with legs on which target and robot fit between all things.

    Half of them lead, where such a leg is found, out of the sight of one who follows 1.2 m behind.
    """
    follower = at
    while True:
        yield at
        legs = list(itertools.islice(_free_legs(rng, scene, others, at, clearance_m), _CANDIDATES))
        hidden = [to for to in legs if _gap_m(others, follower, to) <= 0.0]
        choices = hidden if hidden and rng.uniform() < _HIDING_SHARE else legs
        if not choices:
            continue
        to = choices[int(rng.integers(len(choices)))]
        share = min(1.0, _FOLLOWER_M / math.dist(at, to))
        follower = to[0] + share * (at[0] - to[0]), to[1] + share * (at[1] - to[1])
        at = to


def _free_legs(
    rng: np.random.Generator, scene: Scene, others: tuple[Footprint, ...], at: Point, clearance_m: float
) -> Iterator[Point]:
    """Ends of straight free ways from ``at``, as many as there are among the tries of one draw."""
    low_x, low_y, high_x, high_y = scene.bounds_m
    for _ in range(4 * _CANDIDATES):
        to = float(rng.uniform(low_x, high_x)), float(rng.uniform(low_y, high_y))
        if _LEG_M[0] <= math.dist(at, to) <= _LEG_M[1] and _gap_m(others, at, to) >= clearance_m:
            yield to


def _gap_m(others: tuple[Footprint, ...], start: Point, end: Point) -> float:
    """Smallest distance from the straight line between two points to any of ``others``."""
    share = np.linspace(0.0, 1.0, 2 + int(math.dist(start, end) / 0.05))
    xs, ys = start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])
    return float(nearest_distance_m(others, xs, ys).min())


def _timed(rng: np.random.Generator, points: Iterator[Point]) -> Walk:
    """A walk along ``points`` at one speed, with pauses at some of them."""
    speed_mps = rng.uniform(*SPEED_MPS)
    stops = [(0.0, *next(points))]
    while stops[-1][0] < _LASTING_S:
        at_s, *at = stops[-1]
        to = next(points)
        there_s = at_s + math.dist(at, to) / speed_mps
        stops.append((there_s, *to))
        if rng.uniform() < _PAUSE_SHARE:
            stops.append((there_s + rng.uniform(*PAUSE_S), *to))
    times_s, xs_m, ys_m = zip(*stops, strict=True)
    return Walk(times_s, xs_m, ys_m)
