"""Looking around, and moving on to another place when this one has nothing more to show."""

from __future__ import annotations

import math
from dataclasses import dataclass

from vlm_ros.core.config import setting
from vlm_ros.core.motion import Pose
from vlm_ros.navigation.eyes import EyesConfig
from vlm_ros.navigation.lookout import Outlook, best_place, best_turn
from vlm_ros.navigation.memory import Memory
from vlm_ros.navigation.place import Place
from vlm_ros.navigation.policy import Senses, Wish
from vlm_ros.navigation.states import State
from vlm_ros.navigation.steering import Steering, SteeringConfig
from vlm_ros.navigation.track import wrapped

_ARRIVED_M = 0.25
_LATE, _LATE_S = 2.0, 8.0
_ANSWERS_PER_M = 5.0
_PLAN_EVERY_S, _RECONSIDER_EVERY_S = 0.8, 2.0
_NOTHING_LEFT_M2 = 1.0
_ENOUGH_TURNING_RAD = 2.2 * math.pi
_SAME_SPOT_M = 0.3
_TURNED_ENOUGH = 0.05
"""What a turn is still worth at a spot where the robot has looked all around."""


@dataclass(frozen=True)
class SeekingConfig(EyesConfig, SteeringConfig):
    """How the robot looks for something."""

    reach_m: float = setting(6.0, "how far around its start the robot looks and goes", unit="m", low=1.0, high=10.0)
    sure_enough: float = setting(
        0.6, "probability of a target in one direction from which on the robot goes for it", low=0.1, high=0.99
    )


class Seeking:
    """Remembers where it is about to look."""

    def __init__(self, config: SeekingConfig, memory: Memory, steering: Steering, pose: Pose) -> None:
        self._config, self._memory, self._steering = config, memory, steering
        self._heading_rad = pose.yaw_rad
        self._view: Place | None = None
        self._best: Outlook | None = None
        self._planned_s = -math.inf
        self._leave_by_s = math.inf
        self._spot = self._pose = pose
        self._turned_rad = 0.0

    def step(self, senses: Senses, learnt: bool) -> Wish:
        """The wish for this moment; ``learnt`` tells that the memory has changed."""
        self._count_turns(senses.pose)
        if learnt:
            act = self._reconsider if self._under_way(senses) else self._choose
            act(senses)
        if self._view is None:
            angle_rad = wrapped(self._heading_rad - senses.pose.yaw_rad)
            return Wish(self._steering.turn(senses, angle_rad), State.LOOKING, "looking around")
        velocity = self._steering.drive_warily(senses, self._memory, self._view)
        return Wish(velocity, State.MOVING_ON, "going to look from another place")

    def interrupt(self) -> None:
        """Forget where it was going: something better has come up."""
        self._view = None

    @property
    def seen_all(self) -> bool:
        """Whether the robot has looked around here, and nowhere it can get to would show floor it has not seen."""
        if self._view is not None or self._turned_rad < _ENOUGH_TURNING_RAD:
            return False
        return self._best is None or self._best.floor_m2 < _NOTHING_LEFT_M2

    def _under_way(self, senses: Senses) -> bool:
        """Whether there is a place to go to that is not reached yet, nor taking too long."""
        if self._view is None or self._view.distance_from(senses.pose) <= _ARRIVED_M:
            return False
        return senses.now_s < self._leave_by_s

    def _count_turns(self, pose: Pose) -> None:
        self._turned_rad += abs(wrapped(pose.yaw_rad - self._pose.yaw_rad))
        self._pose = pose
        if math.hypot(pose.x_m - self._spot.x_m, pose.y_m - self._spot.y_m) > _SAME_SPOT_M:
            self._spot, self._turned_rad = pose, 0.0

    def _choose(self, senses: Senses) -> None:
        """Turn or go on: whatever promises more."""
        pose = senses.pose
        turning = wrapped(self._heading_rad - pose.yaw_rad)
        turn = best_turn(self._memory, senses, self._config, turning)
        self._heading_rad = pose.yaw_rad + turn.angle_rad
        self._view = None
        self._plan(senses, _PLAN_EVERY_S)
        worth = _TURNED_ENOUGH if self._turned_rad > _ENOUGH_TURNING_RAD else 1.0
        if self._best is not None and self._best.promise > worth * turn.promise:
            self._go(self._best.place, senses)

    def _reconsider(self, senses: Senses) -> None:
        """Go elsewhere where the way turns out longer than it seemed."""
        self._plan(senses, _RECONSIDER_EVERY_S)
        if self._best is not None and self._best.place != self._view:
            self._go(self._best.place, senses)

    def _plan(self, senses: Senses, every_s: float) -> None:
        if senses.now_s - self._planned_s >= every_s:
            ways = self._memory.ways(senses.pose)
            self._best = best_place(self._memory, senses, ways, self._config, self._view)
            self._planned_s = senses.now_s

    def _go(self, place: Place, senses: Senses) -> None:
        self._view = place
        fare_m = self._memory.ways(senses.pose).cost_to(place)
        self._leave_by_s = (
            senses.now_s + _LATE_S + fare_m * (_LATE / self._config.cruise_mps + _ANSWERS_PER_M * senses.answer_every_s)
        )
