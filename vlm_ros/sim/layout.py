"""The shapes that a floor can have, and their walls."""

from __future__ import annotations

from enum import Enum

import numpy as np

from vlm_ros.sim.scene import WALL_THICKNESS_M, Wall

DOORWAY_M = (0.9, 1.1)
"""Clear width of a doorway: the robot is 0.36 m wide."""
_DOORPOST_M = 0.45
"""A doorway is at least so far from the nearest corner."""

Outline = tuple[Wall, Wall, Wall, Wall]


class Layout(Enum):
    """What stands in a rectangle of four walls.

    ``STUB`` is one room with a wall that juts into it, ``CORNER`` one with a corner cut out (an L),
    ``TWO_ROOMS`` a wall across with a doorway in it.
    """

    OPEN = "open"
    STUB = "stub"
    CORNER = "corner"
    TWO_ROOMS = "two_rooms"


def layout_from_rooms(rooms: int) -> Layout:
    """The layout of one or two rooms."""
    return Layout.TWO_ROOMS if rooms == 2 else Layout.OPEN


def draw_walls(rng: np.random.Generator, layout: Layout) -> tuple[Wall, ...]:
    """The four outer walls, then those inside. The origin is the middle of the rectangle."""
    if layout is Layout.TWO_ROOMS:
        return _two_rooms(rng)
    half_x_m, half_y_m = rng.uniform(2.0, 3.5), rng.uniform(2.0, 3.5)
    outline = _outline(half_x_m, half_y_m)
    if layout is Layout.STUB:
        return (*outline, _stub(rng, half_x_m, half_y_m))
    return (*outline, _block(rng, half_x_m, half_y_m)) if layout is Layout.CORNER else outline


def half_sizes_m(walls: tuple[Wall, ...]) -> tuple[float, float]:
    """Half the rectangle's length along x and along y, between the middle lines of its walls."""
    return walls[0].length_m / 2, walls[1].length_m / 2


def _outline(half_x_m: float, half_y_m: float) -> Outline:
    return (
        Wall(-half_x_m, -half_y_m, half_x_m, -half_y_m),
        Wall(half_x_m, -half_y_m, half_x_m, half_y_m),
        Wall(half_x_m, half_y_m, -half_x_m, half_y_m),
        Wall(-half_x_m, half_y_m, -half_x_m, -half_y_m),
    )


def _stub(rng: np.random.Generator, half_x_m: float, half_y_m: float) -> Wall:
    """A wall from one of the four sides into the room, which leaves at least 1.9 m to pass."""
    along_x, side = bool(rng.integers(2)), int(rng.choice([-1, 1]))
    half_m, across_m = (half_x_m, half_y_m) if along_x else (half_y_m, half_x_m)
    at_m, foot_m = rng.uniform(-0.45, 0.45) * half_m, side * across_m
    tip_m = foot_m - side * rng.uniform(0.6, 1.05) * across_m
    return _across(along_x, at_m, foot_m, tip_m)


def _block(rng: np.random.Generator, half_x_m: float, half_y_m: float) -> Wall:
    """A solid square that takes a corner away: a wall as thick as it is long."""
    side_m = rng.uniform(0.6, 1.0) * min(half_x_m, half_y_m)
    x_m = int(rng.choice([-1, 1])) * (half_x_m - side_m / 2)
    y_m = int(rng.choice([-1, 1])) * (half_y_m - side_m / 2)
    return Wall(x_m, y_m, x_m, y_m, side_m)


def _two_rooms(rng: np.random.Generator) -> tuple[Wall, ...]:
    """Two rooms side by side along x or along y, 3 to 5 m a side."""
    along_x = bool(rng.integers(2))
    half_m, across_m = rng.uniform(3.3, 4.4), rng.uniform(1.8, 2.4)
    at_m = rng.uniform(-0.08, 0.08) * half_m
    gap_m = (rng.uniform(*DOORWAY_M) + WALL_THICKNESS_M) / 2
    middle_m = rng.uniform(-1, 1) * (across_m - gap_m - _DOORPOST_M)
    return (
        *(_outline(half_m, across_m) if along_x else _outline(across_m, half_m)),
        _across(along_x, at_m, -across_m, middle_m - gap_m),
        _across(along_x, at_m, middle_m + gap_m, across_m),
    )


def _across(along_x: bool, at_m: float, from_m: float, to_m: float) -> Wall:
    """A wall across the x axis at ``x = at_m``, or across the y axis."""
    return Wall(at_m, from_m, at_m, to_m) if along_x else Wall(from_m, at_m, to_m, at_m)
