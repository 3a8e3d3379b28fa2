"""What a camera sees of the floor, past what may stand in the way."""

import math

import numpy as np
import pytest

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead
from vlm_ros.navigation.eyes import Eyes, EyesConfig
from vlm_ros.navigation.floor import Floor
from vlm_ros.navigation.grid import Grid
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.sight import rings_m, unhidden, views

ORIGIN = Pose(0.0, 0.0, 0.0)
GRID = Grid(0.0, 0.0, 5.0, 0.2)


def ground(path=None, times=6):
    known = Ground(ORIGIN, Eyes(EyesConfig()))
    for side_m in (-0.4, -0.2, 0.0, 0.2, 0.4) * times:
        if path is not None:
            known.learn(path, Pose(0.0, side_m, 0.0), 1.0)
    return known


def share_at(known, x_m, y_m):
    cells, share = unhidden(known, GRID, ORIGIN, math.radians(35))
    return dict(zip(cells.tolist(), share.tolist(), strict=True)).get(int(GRID.cells_at(x_m, y_m)))


@pytest.mark.parametrize(("x_m", "y_m"), [(-1.0, 0.0), (0.5, 1.0), (0.0, -1.0)])
def test_floor_outside_the_picture_is_not_seen(x_m, y_m):
    assert share_at(ground(), x_m, y_m) is None


def test_floor_is_less_surely_seen_the_more_unknown_floor_lies_before_it():
    near, far = share_at(ground(), 0.5, 0.0), share_at(ground(), 3.1, 0.0)
    assert 0.3 < far < near <= 1.0


def test_floor_is_surely_seen_across_what_answers_have_called_clear():
    assert share_at(ground(PathAhead.CLEAR), 1.1, 0.0) > share_at(ground(), 1.1, 0.0) + 0.05


def test_floor_behind_an_obstacle_is_not_seen():
    assert share_at(ground(PathAhead.BLOCKED), 1.5, 0.0) < 0.6 * share_at(ground(), 1.5, 0.0)


def test_a_look_around_shows_what_is_there_and_where():
    worth = np.zeros((1, GRID.count**2))
    worth[0, np.hypot(GRID.centres_m[0] - 1.0, GRID.centres_m[1] - 1.0) < 0.4] = 1.0
    recall = np.ones_like(rings_m())
    shown = views(ground(), GRID, np.array([0.0, -20.0]), np.array([0.0, 0.0]), recall, worth)
    assert shown[0, 0].argmax() == round((math.radians(45) + math.pi) / math.radians(10))
    assert shown[0, 1].sum() == 0.0


def test_best_picture_of_the_floor_counts():
    floor, cells = Floor(GRID), np.array([3, 4])
    floor.learn(cells, np.array([0.9, 0.2]))
    floor.learn(cells, np.array([0.5, 0.5]))
    assert floor.seen[cells].tolist() == [0.9, 0.5]
    assert floor.seen.sum() == pytest.approx(1.4)
