"""What was seen, and where: one belief for each name that the model gave to something."""

from __future__ import annotations

import copy
import math

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead, Percept, unseen
from vlm_ros.core.things import PLACE_M, Thing, ThingPlaced, ThingsSeen
from vlm_ros.navigation.belief import TargetBelief
from vlm_ros.navigation.eyes import Eyes
from vlm_ros.navigation.grid import Floats, Grid
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.looks import Looks
from vlm_ros.navigation.sight import view_from

MOST_NAMES = 16
"""More names than this are not kept: the one with the least evidence makes room."""
SURE = 0.3
"""Certainty from which on a thing is listed. With the demo model in development rooms, what was there had 0.36 and
more, what was not 0.20 and less but for one in eleven rooms; wheels that slip blur the places of both."""
_APART_M = 0.4
"""Two pictures are from different places when the camera has moved so far."""
_FIRST_LOG_ODDS = -math.log(20.0)
"""A name is rather one of the many that the model might give wrongly than that of something in the room."""
_NO_NEWS = 0.02
"""A picture that tells so little, because it was taken where others were, is not worth the time."""


class Inventory:
    """Everything that was named since the task began, in the frame of the track; starts empty.

    ``ground`` tells what may hide things, as it is known when a list of things arrives; ``reach_m`` as for the belief.
    """

    def __init__(self, eyes: Eyes, ground: Ground, pose: Pose, reach_m: float) -> None:
        self._eyes, self._ground = eyes, ground
        self._blank = TargetBelief(eyes, pose, reach_m, _FIRST_LOG_ODDS)
        self._looks = Looks()
        self._entries: dict[str, _Entry] = {}

    def learn(self, seen: ThingsSeen, seen_from: Pose) -> None:
        """Take in what one picture shows, and for all other names that it does not show them."""
        weight = float(self._looks.novelty(seen_from, np.zeros(1), seen.stamp_s)[0])
        self._looks.add(seen_from, seen.stamp_s)
        if weight < _NO_NEWS:
            return
        named = {thing.name: thing for thing in seen.things}
        for name in named:
            self._make_room_for(name)
        view = view_from(self._ground, self._blank.grid, self._eyes, seen_from)
        for name, entry in self._entries.items():
            entry.learn(_percept(name, named.get(name), seen.stamp_ns), seen_from, weight, view)

    @property
    def things(self) -> tuple[ThingPlaced, ...]:
        """What is certain enough and was seen in pictures from different places, in order of the names."""
        placed = [entry.placed(name) for name, entry in sorted(self._entries.items()) if entry.seen_apart]
        return tuple(thing for thing in placed if thing.certainty >= SURE)

    def _make_room_for(self, name: str) -> None:
        if name in self._entries:
            return
        if len(self._entries) >= MOST_NAMES:
            del self._entries[min(self._entries, key=lambda known: self._entries[known].belief.log_odds)]
        self._entries[name] = _Entry(copy.copy(self._blank))


class _Entry:
    """One name, and where such a thing may be."""

    def __init__(self, belief: TargetBelief) -> None:
        self.belief = belief
        self._first: Pose | None = None
        self.seen_apart = False

    def learn(self, percept: Percept, seen_from: Pose, weight: float, view: Floats) -> None:
        """Take a picture into account, as in ``TargetBelief.learn``."""
        self.belief.learn(percept, seen_from, weight, view)
        if percept.visible:
            first = self._first = self._first or seen_from
            self.seen_apart |= math.hypot(seen_from.x_m - first.x_m, seen_from.y_m - first.y_m) >= _APART_M

    def placed(self, name: str) -> ThingPlaced:
        """The likeliest place, and the probability that it is right."""
        (x_m, y_m), share = _likeliest_place(self.belief.grid, self.belief.mass)
        return ThingPlaced(name, x_m, y_m, share * self.belief.existence)


def _percept(name: str, thing: Thing | None, stamp_ns: int) -> Percept:
    """What a picture says of one name."""
    if thing is None:
        return unseen(name, stamp_ns)
    return Percept(name, True, thing.bearing, thing.range, PathAhead.UNKNOWN, 1.0, stamp_ns)


def _likeliest_place(grid: Grid, mass: Floats) -> tuple[tuple[float, float], float]:
    """The middle of the probability about its densest cell, and how much there is within ``PLACE_M``."""
    x_m, y_m = grid.centres_m
    best = int(np.argmax(_around(mass.reshape(grid.count, grid.count), round(PLACE_M / grid.cell_m))))
    place = float(x_m[best]), float(y_m[best])
    for _ in range(2):
        close = np.hypot(x_m - place[0], y_m - place[1]) <= PLACE_M
        place = float(np.average(x_m[close], weights=mass[close])), float(np.average(y_m[close], weights=mass[close]))
    close = np.hypot(x_m - place[0], y_m - place[1]) <= PLACE_M
    return place, float(mass[close].sum())


def _around(mass: Floats, cells: int) -> Floats:
    """The sum over the square that reaches so many cells from each."""
    side = 2 * cells + 1
    padded = np.pad(mass, ((cells + 1, cells), (cells + 1, cells))).cumsum(axis=0).cumsum(axis=1)
    return np.asarray(padded[side:, side:] - padded[:-side, side:] - padded[side:, :-side] + padded[:-side, :-side])
