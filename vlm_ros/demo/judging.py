"""What a drive was worth: by the truth of the simulator, whatever the robot believes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from vlm_ros.demo.recording import Recording
from vlm_ros.demo.trail import Trail
from vlm_ros.evaluation.metrics import NEAR_SLACK_M, success_by_path_length
from vlm_ros.navigation.navigator import Mode
from vlm_ros.navigation.policy import Outcome
from vlm_ros.sim.free_space import FreeSpace
from vlm_ros.sim.scene import Scene
from vlm_ros.sim.score import Score
from vlm_ros.sim.truth import NEAR_M

SEARCH_ENDS = frozenset(outcome.value for outcome in Outcome)
"""States of a robot whose search is over."""

FOLLOW_WITHIN_M = 1.5
"""Who follows keeps 0.9 m: up to this distance the target counts as kept."""
_FOLLOW_LAST_SHARE = 1 / 3
_FOLLOW_KEPT_SHARE = 0.8

EXPLORED_SHARE = 0.5
_SIGHT_M = 3.0
_FLOOR_CELL_M = 0.1


@dataclass(frozen=True)
class Result:
    """The line with which a demo ends.

    ``success``: for search, the robot said found, and truly stands near its target with the target in
    view. For follow, the target was in view and within ``FOLLOW_WITHIN_M`` in 80 % of the last third of
    the time. For explore, it touched nothing and saw half of the floor. ``outcome`` is the last state
    that the robot itself reported. ``spl`` is success weighted by path length, ``None`` where no way is
    the shortest: while exploring. ``decisions`` counts percepts, ``mean_frame_age_s`` is the mean age
    of their pictures on arrival.
    """

    success: bool
    spl: float | None
    time_s: float
    distance_m: float
    collisions: int
    decisions: int
    mean_frame_age_s: float | None
    outcome: str
    target: str
    seed: int
    mode: str
    floor_seen: float
    out: str


def result_from_recording(recording: Recording, trail: Trail, scene: Scene, mode: Mode, out: str) -> Result:
    """Judge a drive that ended with the newest score; ``scene.target`` is what the robot was told to find."""
    score, doing = recording.scores.newest, recording.doings.newest
    assert score is not None and doing is not None, "a drive has been watched to its end"
    floor_seen = floor_share_seen(scene, trail)
    success = {
        Mode.SEARCH: doing.state == Outcome.FOUND.value and stands_before(scene, score),
        Mode.FOLLOW: keeps_target(scene, [score for _, score in recording.scores]),
        Mode.EXPLORE: score.collisions == 0 and floor_seen >= EXPLORED_SHARE,
    }[mode]
    ages_s = [perceived.age_s for time_s, perceived in recording.percepts if time_s <= recording.end_s]
    return Result(
        success=success,
        spl=None if mode is Mode.EXPLORE else _rounded(success_by_path_length(success, score.way_m, score.shortest_m)),
        time_s=round(recording.end_s, 2),
        distance_m=round(score.way_m, 2),
        collisions=score.collisions,
        decisions=len(ages_s),
        mean_frame_age_s=_rounded(float(np.mean(ages_s))) if ages_s else None,
        outcome=doing.state,
        target="" if mode is Mode.EXPLORE else scene.target,
        seed=scene.seed,
        mode=mode.value,
        floor_seen=_rounded(floor_seen),
        out=out,
    )


def stands_before(scene: Scene, score: Score) -> bool:
    """Whether the target is near, give or take the slack that the evaluation allows, and in the picture."""
    return _within(scene, score, NEAR_M + NEAR_SLACK_M)


def keeps_target(scene: Scene, scores: Sequence[Score]) -> bool:
    """Whether the target was near and in view in most of the last third."""
    last = scores[-max(1, round(len(scores) * _FOLLOW_LAST_SHARE)) :]
    kept = [_within(scene, score, FOLLOW_WITHIN_M) for score in last]
    return sum(kept) >= _FOLLOW_KEPT_SHARE * len(kept)


def floor_share_seen(scene: Scene, trail: Trail) -> float:
    """Share of the drivable floor, 0..1, that was before the camera within 3 m; what hides behind objects counts."""
    low_x, low_y, high_x, high_y = scene.bounds_m
    grid = np.meshgrid(np.arange(low_x, high_x, _FLOOR_CELL_M), np.arange(low_y, high_y, _FLOOR_CELL_M))
    free = FreeSpace(scene).free(*grid)
    x_m, y_m = grid[0][free], grid[1][free]
    half_view_rad = np.radians(scene.camera.horizontal_fov_deg) / 2
    seen = np.zeros(x_m.shape, bool)
    for at_x, at_y, yaw_rad in zip(trail.x_m, trail.y_m, trail.yaw_rad, strict=True):
        dx, dy = x_m - at_x, y_m - at_y
        aside_rad = np.abs((np.arctan2(dy, dx) - yaw_rad + np.pi) % (2 * np.pi) - np.pi)
        seen |= (aside_rad <= half_view_rad) & (np.hypot(dx, dy) <= _SIGHT_M)
    return float(seen.mean())


def _within(scene: Scene, score: Score, reach_m: float) -> bool:
    if scene.target_object is None or score.target_distance_m is None:
        return False
    return score.target_in_view and score.target_distance_m <= reach_m


def _rounded(figure: float) -> float:
    return round(figure, 3)
