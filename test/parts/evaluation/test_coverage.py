"""Which of the floor a camera has seen."""

import math
from dataclasses import replace

import numpy as np
import pytest

from vlm_ros.core.motion import Pose
from vlm_ros.evaluation.coverage import CELL_M, LOOK_RANGE_M, Coverage
from vlm_ros.sim.camera import Camera
from vlm_ros.sim.draw import draw_scene
from vlm_ros.sim.scene import SceneObject, Wall
from vlm_ros.sim.truth import VISIBLE_SHARE
from vlm_ros.sim.world import World


def room(*walls):
    """The 6 m by 4 m room around the origin with inner ``walls`` and nothing else."""
    outline = (Wall(-3, -2, 3, -2), Wall(3, -2, 3, 2), Wall(3, 2, -3, 2), Wall(-3, 2, -3, -2))
    return replace(draw_scene(0), walls=(*outline, *walls), objects=())


def seen_at(coverage, x_m, y_m):
    column, row = ((at - low) / CELL_M for at, low in zip((x_m, y_m), coverage.corner_m, strict=True))
    return bool(coverage.seen[round(row), round(column)])


def test_floor_is_seen_ahead_and_not_behind_or_beside():
    coverage = Coverage(room())
    coverage.look(Pose(0.0, 0.0, 0.0))
    assert seen_at(coverage, 2.0, 0.0) and seen_at(coverage, 2.0, 1.0)
    assert not seen_at(coverage, -1.0, 0.0) and not seen_at(coverage, 0.2, 1.0)


def test_floor_behind_a_wall_is_not_seen():
    coverage = Coverage(room(Wall(1.0, -2.0, 1.0, 0.5)))
    coverage.look(Pose(0.0, 0.0, 0.0))
    assert seen_at(coverage, 0.8, 0.0)
    assert not seen_at(coverage, 1.5, 0.0)


def test_floor_further_away_than_the_range_is_not_seen():
    coverage = Coverage(room())
    coverage.look(Pose(-2.5, 0.0, 0.0))
    edge_m = -2.5 + 0.14 + LOOK_RANGE_M
    assert seen_at(coverage, edge_m - 0.1, 0.0)
    assert not seen_at(coverage, edge_m + 0.1, 0.0)


def test_share_grows_to_all_of_the_floor_when_the_robot_looks_from_everywhere():
    coverage = Coverage(room())
    shares = [coverage.share]
    for x_m in (-2.0, 0.0, 2.0):
        for turn in range(8):
            coverage.look(Pose(x_m, 0.0, turn * math.pi / 4))
        shares.append(coverage.share)
    assert shares[0] == 0.0 and shares == sorted(shares) and shares[-1] > 0.98


@pytest.mark.parametrize(("away_m", "visible"), [(LOOK_RANGE_M - 0.15, True), (LOOK_RANGE_M + 0.3, False)])
def test_smallest_thing_is_visible_up_to_the_range(away_m, visible):
    cone = SceneObject("red", "cone", (0.8, 0.1, 0.1), away_m + 0.14 - 2.5, 0.0, 0.0, 0.32 * 0.6 / 2, 0.32)
    world = World(replace(room(), objects=(cone,), start=Pose(-2.5, 0.0, 0.0)))
    with Camera(world) as camera:
        assert (np.mean(camera.render_objects() == 0) >= VISIBLE_SHARE) == visible
