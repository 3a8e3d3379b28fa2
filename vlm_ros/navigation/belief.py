"""Where the target may be: one probability per cell of floor, changed by every answer.

A histogram filter (Thrun, Burgard, Fox: Probabilistic Robotics, chapter 4). Flickering answers,
misses and single false alarms are weighed instead of obeyed, and thirds of pictures taken from
different places add up to a position.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import Percept
from vlm_ros.navigation.eyes import Eyes
from vlm_ros.navigation.grid import Floats, Grid, wrapped_all
from vlm_ros.navigation.track import wrapped

_HALF_M = 10.0
_CELL_M = 0.2
_SECTORS = 72
_WINDOW = 7
"""Sectors of 5 degrees that count as one direction: about the middle third of a picture."""
_MOST_LOG_ODDS = math.log(1000.0)
"""Nothing is surer than that, so that a few answers to the contrary still count."""
_DOUBT = 0.01
"""Share of a belief that stays open at every answer: misses repeat themselves, and things move."""


@dataclass(frozen=True)
class Guess:
    """The likeliest direction of the target, seen from the robot, and the mean distance in that direction.

    ``certainty`` is the probability that the target is in that direction, if there is one.
    """

    angle_rad: float
    distance_m: float
    certainty: float


class TargetBelief:
    """Starts with no idea but that the target is hardly further than ``reach_m`` away.

    ``log_odds`` are those of there being such a target at all; ``mass`` is for one that there is.
    """

    def __init__(self, eyes: Eyes, pose: Pose, reach_m: float, log_odds: float = 0.0) -> None:
        self.eyes = eyes
        self.grid = Grid(pose.x_m, pose.y_m, _HALF_M, _CELL_M)
        distance_m, _ = self.grid.polar_from(pose)
        prior = np.exp(-((distance_m / reach_m) ** 2))
        self._prior: Floats = prior / prior.sum()
        self.mass: Floats = self._prior.copy()
        self.log_odds = log_odds

    @property
    def existence(self) -> float:
        """Probability that there is a target at all."""
        return 1.0 / (1.0 + math.exp(-self.log_odds))

    def learn(self, percept: Percept, seen_from: Pose, weight: float, view: Floats | float = 1.0) -> None:
        """Take an answer into account; ``weight`` (0..1) is how much of it is not known from the last one.

        ``view`` is for each cell the probability that nothing hides it.
        """
        likelihood = self.eyes.likelihood(percept, *self.grid.polar_from(seen_from, self.eyes.forward_m), view)
        posterior = self.mass * likelihood**weight
        evidence = float(posterior.sum())
        self._set((1.0 - _DOUBT * weight) * posterior / evidence + _DOUBT * weight * self._prior)
        self._weigh(evidence, self.eyes.false_alarm(percept) ** weight)

    def doubt(self, pose: Pose, distance_m: float, share: float) -> None:
        """Keep only ``share`` of the probability within ``distance_m`` of the camera: it was no target after all."""
        close = self.grid.polar_from(pose, self.eyes.forward_m)[0] <= distance_m
        doubted = np.where(close, share * self.mass, self.mass)
        self._weigh(float(doubted.sum()), 1.0)
        self._set(doubted)

    def spread(self, share: float) -> None:
        """Move ``share`` of every cell's probability to its neighbours, as of a target that moves."""
        mass = self.mass.reshape(self.grid.count, self.grid.count)
        neighbours = sum(np.roll(mass, shift, axis) for axis in (0, 1) for shift in (-1, 1))
        self._set(((1.0 - share) * mass + share * neighbours / 4).ravel())

    def guess(self, pose: Pose) -> Guess:
        """The best direction from ``pose``."""
        distance_m, angle_rad = self.grid.polar_from(pose)
        sector = np.floor((angle_rad + np.pi) / (2 * np.pi) * _SECTORS).astype(np.int64) % _SECTORS
        by_sector = np.bincount(sector, self.mass, _SECTORS)
        around = sum(np.roll(by_sector, shift) for shift in range(-(_WINDOW // 2), _WINDOW // 2 + 1))
        best = int(np.argmax(around))
        middle_rad = (best + 0.5) / _SECTORS * 2 * np.pi - np.pi
        offset_rad = wrapped_all(angle_rad - middle_rad)
        inside = np.where(np.abs(offset_rad) <= _WINDOW / 2 / _SECTORS * 2 * np.pi, self.mass, 0.0)
        certainty = float(inside.sum())
        mean_angle = middle_rad + float((inside * offset_rad).sum()) / certainty
        return Guess(wrapped(mean_angle), float((inside * distance_m).sum()) / certainty, certainty)

    def probability_within(self, pose: Pose, distance_m: float) -> float:
        """Probability that the target is at most ``distance_m`` from the camera of a robot at ``pose``."""
        return float(self.mass[self.grid.polar_from(pose, self.eyes.forward_m)[0] <= distance_m].sum())

    def _weigh(self, with_target: float, without: float) -> None:
        """Take into account how likely it was what was seen, if there is a target and if there is none."""
        log_odds = self.log_odds + math.log(with_target / without)
        self.log_odds = min(max(log_odds, -_MOST_LOG_ODDS), _MOST_LOG_ODDS)

    def _set(self, mass: Floats) -> None:
        self.mass = mass / mass.sum()
