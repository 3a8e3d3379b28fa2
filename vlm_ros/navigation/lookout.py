"""Where to look next: the turn or the place that promises to show most of what is still likely, per second."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.belief import TargetBelief
from vlm_ros.navigation.grid import Floats
from vlm_ros.navigation.looks import newness
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.steering import SteeringConfig

_HEADINGS_RAD = np.radians(np.arange(-180.0, 180.0, 10.0))
_LOOK_TAKES_S = 0.8
_LOOKING_AROUND_TAKES_S = 8.0
_WAY_COSTS = 2.0
_KEEP_ON = 1.5
_DISTANCES_M = (0.8, 1.6, 2.4)
_COARSE = 4


@dataclass(frozen=True)
class Look:
    """Turn by ``angle_rad``; where ``distance_m`` is above 0, go there first. ``promise`` is probability per second."""

    angle_rad: float
    distance_m: float
    promise: float


def best_turn(memory: Memory, senses: Senses, config: SteeringConfig, turning: float) -> Look:
    """The best turn on the spot; ``turning`` is the sign of the present turn, which is kept when in doubt.

    The picture that is taken here and now is being answered already: the next one had better show something else.
    """
    belief, pose = memory.belief, senses.pose
    distance_m, angle_rad = belief.grid.polar_from(pose)
    missed = 1.0 - belief.eyes.recall(distance_m, angle_rad)
    seen = missed * belief.mass * belief.eyes.recall(distance_m, np.zeros_like(angle_rad))
    sectors = len(_HEADINGS_RAD)
    sector = np.round((angle_rad + np.pi) / (2 * np.pi) * sectors).astype(np.int64) % sectors
    by_sector = np.bincount(sector, seen, sectors)
    side = int(belief.eyes.half_fov_rad / (2 * np.pi) * sectors)
    in_view = sum(np.roll(by_sector, shift) for shift in range(-side, side + 1))
    keep_on = np.where(_HEADINGS_RAD * turning > 0.0, _KEEP_ON, 1.0)
    new = np.minimum(memory.looks.novelty(pose, _HEADINGS_RAD, senses.now_s), newness(_HEADINGS_RAD))
    look_takes_s = max(_LOOK_TAKES_S, senses.answer_every_s)
    promise = new * keep_on * in_view / (np.abs(_HEADINGS_RAD) / config.turn_radps + look_takes_s)
    best = int(np.argmax(promise))
    return Look(float(_HEADINGS_RAD[best]), 0.0, float(promise[best]))


def best_place(memory: Memory, pose: Pose, config: SteeringConfig) -> Look:
    """The best place to look around from, within a straight drive."""
    looks = [_best_at(memory, pose, config, distance_m) for distance_m in _DISTANCES_M]
    return max(looks, key=lambda look: look.promise)


def _best_at(memory: Memory, pose: Pose, config: SteeringConfig, distance_m: float) -> Look:
    headings = pose.yaw_rad + _HEADINGS_RAD
    seen = _seen_from(memory.belief, pose.x_m + distance_m * np.cos(headings), pose.y_m + distance_m * np.sin(headings))
    free = 1.0 - memory.ground.blocked(pose, _HEADINGS_RAD, distance_m)
    takes_s = (
        np.abs(_HEADINGS_RAD) / config.turn_radps
        + _WAY_COSTS * distance_m / config.cruise_mps
        + _LOOKING_AROUND_TAKES_S
    )
    promise = seen * free**2 / takes_s
    best = int(np.argmax(promise))
    return Look(float(_HEADINGS_RAD[best]), distance_m, float(promise[best]))


def _seen_from(belief: TargetBelief, x_m: Floats, y_m: Floats) -> Floats:
    """Probability of seeing the target while looking around, for each place; on coarse cells, which is enough."""
    cell_x, cell_y, mass = belief.coarse(_COARSE)
    distance_m = np.hypot(cell_x - x_m[:, np.newaxis], cell_y - y_m[:, np.newaxis])
    return np.asarray(belief.eyes.recall(distance_m, np.zeros(1)) @ mass)
