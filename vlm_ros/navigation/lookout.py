"""Where to look next: the turn or the place that promises to show most of what is still to be seen, per second."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlm_ros.navigation.grid import Floats
from vlm_ros.navigation.looks import newness
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.route import Ways
from vlm_ros.navigation.sight import SECTORS, rings_m, views
from vlm_ros.navigation.steering import SteeringConfig

_TURNS_RAD = np.radians(np.arange(-180.0, 180.0, 10.0))
_LOOK_TAKES_S = 0.8
_LOOKS_AROUND = 6
_TURNING_AROUND = 0.6
_KEEP_ON = 1.5
_EVERY = 3
"""Every third cell of the ways, in both directions, is a place to look from."""
_FURTHEST_M = 14.0
_WAY_COSTS = 1.6
_DOUBTFUL_M = 10.0
"""A way that costs so much more than the straight line is as likely to fail as e to 1."""
_BEHIND_WALLS_M = 4.0
"""What a way leads to that costs so much more than the straight line is no floor of this room, as likely as e to 1."""
_FITS = 0.5
_SHOWN_BEFORE = 0.15
"""What a direction is still worth where the camera has looked that way from close by."""


@dataclass(frozen=True)
class Turn:
    """Turn by ``angle_rad``; ``promise`` is what that shows per second."""

    angle_rad: float
    promise: float


@dataclass(frozen=True)
class Outlook:
    """Go to ``place`` and look around; ``floor_m2`` is the floor that would be seen there for the first time."""

    place: Place
    promise: float
    floor_m2: float


def best_turn(memory: Memory, senses: Senses, config: SteeringConfig, turning: float) -> Turn:
    """The best turn on the spot; ``turning`` is the sign of the present turn, which is kept when in doubt.

    The picture that is taken here and now is being answered already: the next one had better show something else.
    """
    pose, grid, eyes = senses.pose, memory.belief.grid, memory.eyes
    missed = 1.0 - eyes.recall(*grid.polar_from(pose))
    here = np.array([pose.x_m]), np.array([pose.y_m])
    by_sector = views(memory.ground, grid, *here, _recall(memory), (missed * memory.interest)[np.newaxis])[0, 0]
    side = int(eyes.half_fov_rad / (2 * math.pi) * SECTORS)
    around = np.asarray(sum(np.roll(by_sector, shift) for shift in range(-side, side + 1)))
    headings = np.rint((pose.yaw_rad + _TURNS_RAD + math.pi) / (2 * math.pi) * SECTORS).astype(np.int64) % SECTORS
    keep_on = np.where(_TURNS_RAD * turning > 0.0, _KEEP_ON, 1.0)
    new = np.minimum(memory.looks.novelty(pose, _TURNS_RAD, senses.now_s), newness(_TURNS_RAD))
    takes_s = np.abs(_TURNS_RAD) / config.turn_radps + max(_LOOK_TAKES_S, senses.answer_every_s)
    promise = new * keep_on * around[headings] / takes_s
    best = int(np.argmax(promise))
    return Turn(float(_TURNS_RAD[best]), float(promise[best]))


def best_place(
    memory: Memory, senses: Senses, ways: Ways, config: SteeringConfig, kept: Place | None = None
) -> Outlook | None:
    """The best place to look around from; ``None`` where the robot cannot get anywhere.

    ``kept`` is where it is going: another place must be worth ``_KEEP_ON`` times as much.
    """
    cells = _places(memory, ways)
    if kept is not None:
        cells = np.append(cells, ways.cell_of(kept))
    if not cells.size:
        return None
    x_m, y_m = (middle[cells] for middle in ways.grid.centres_m)
    grid, unseen = memory.belief.grid, 1.0 - memory.floor.seen
    worths = np.stack([memory.interest, unseen]) * np.exp(-ways.detour_m(*grid.centres_m) / _BEHIND_WALLS_M)
    by_sector = views(memory.ground, grid, x_m, y_m, _recall(memory), worths)
    beside = memory.looks.shown_from_beside(x_m, y_m, SECTORS, memory.eyes.half_fov_rad)
    shown, floor = (by_sector * np.where(beside, _SHOWN_BEFORE, 1.0)).sum(axis=2)
    sure = np.exp(-ways.detour_m(x_m, y_m) / _DOUBTFUL_M)
    promise = sure * shown / (_WAY_COSTS * ways.cost_m[cells] / config.cruise_mps + _looking_around_s(senses, config))
    if kept is not None:
        promise[-1] *= _KEEP_ON
    best = int(np.argmax(promise))
    is_kept = kept is not None and best == len(cells) - 1
    place = kept if kept is not None and is_kept else Place(float(x_m[best]), float(y_m[best]))
    return Outlook(place, float(promise[best]), float((sure * floor).max()) * grid.cell_m**2)


def _looking_around_s(senses: Senses, config: SteeringConfig) -> float:
    looks_s = _LOOKS_AROUND * max(_LOOK_TAKES_S, senses.answer_every_s)
    return looks_s + _TURNING_AROUND * 2 * math.pi / config.turn_radps


def _places(memory: Memory, ways: Ways) -> NDArray[np.int64]:
    """Cells of the ways where the robot can get to, and fits."""
    count = ways.grid.count
    lattice = np.arange(count**2).reshape(count, count)[_EVERY // 2 :: _EVERY, _EVERY // 2 :: _EVERY].ravel()
    cells = lattice[ways.cost_m[lattice] < _FURTHEST_M]
    x_m, y_m = (middle[cells] for middle in ways.grid.centres_m)
    return cells[memory.ground.crowded(x_m, y_m) < _FITS]


def _recall(memory: Memory) -> Floats:
    rings = rings_m()
    return memory.eyes.recall(rings, np.zeros_like(rings))
