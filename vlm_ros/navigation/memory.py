"""What a policy has learnt of the room since its task began."""

from __future__ import annotations

import numpy as np

from vlm_ros.core.motion import Pose
from vlm_ros.core.percept import PathAhead, Percept, Range
from vlm_ros.navigation.belief import TargetBelief
from vlm_ros.navigation.eyes import SIGHT_M, Eyes, EyesConfig
from vlm_ros.navigation.floor import Floor
from vlm_ros.navigation.grid import Floats
from vlm_ros.navigation.ground import Ground
from vlm_ros.navigation.looks import Looks
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.route import Ways
from vlm_ros.navigation.sight import FLOOR_SEEN_TO_M, view_from

_EXPECTED = 2.0
"""Log odds of there being the target, to begin with: who asks for a thing mostly knows of it."""

_PATH_WEIGHT = 0.2
"""An answer about the path counts at least so much, however often it was given: better to go around in vain."""

_OTHERS = 0.3
"""So much of an answer that the path is blocked speaks of other things than a target that is near and will walk on."""

_LOOKED_AT = 0.9
"""How much less there is to be seen where the camera has looked: not nothing, since models miss things."""


class Memory:
    """The belief about the target and about the ground, fed with each percept once."""

    def __init__(
        self, config: EyesConfig, pose: Pose, reach_m: float, sight_m: float = SIGHT_M, *, target_walks: bool = False
    ) -> None:
        self.eyes = Eyes(config, sight_m)
        self.belief = TargetBelief(self.eyes, pose, reach_m, _EXPECTED)
        self.ground = Ground(pose, self.eyes)
        self.looks = Looks()
        self.floor = Floor(self.belief.grid)
        self._target_walks = target_walks
        self.elapsed_s = 0.0
        """Seconds between the last two pictures."""
        self._percept: Percept | None = None
        self._ways: Ways | None = None

    def ways(self, pose: Pose) -> Ways:
        """The ways from ``pose`` as they were known at the newest percept."""
        if self._ways is None:
            self._ways = Ways(self.ground, pose)
        return self._ways

    def learn(self, senses: Senses) -> bool:
        """Take in what is new; false where there is no new percept that can be read."""
        percept, last = senses.percept, self._percept
        if percept is None or percept is last or not percept.readable:
            return False
        weight = float(self.looks.novelty(senses.seen_from, np.zeros(1), percept.stamp_s)[0])
        self.looks.add(senses.seen_from, percept.stamp_s)
        view = self._look(senses.seen_from)
        self.belief.learn(percept, senses.seen_from, weight * _trust(percept.confidence), view)
        self.elapsed_s = max(0.0, percept.stamp_s - last.stamp_s) if last is not None else 0.0
        self.ground.forget(self.elapsed_s)
        self.ground.learn(percept.path, senses.seen_from, self._share(percept) * max(weight, _PATH_WEIGHT))
        if senses.scan is not None:
            self.ground.learn_scan(senses.scan, senses.pose)
        self._percept, self._ways = percept, None
        return True

    @property
    def interest(self) -> Floats:
        """How much there is to be seen in each cell: the target's probability, mostly where nobody has looked."""
        return self.belief.mass * (1.0 - _LOOKED_AT * self.floor.seen)

    def _share(self, percept: Percept) -> float:
        """How much an answer about the path says of what stays where it is."""
        may_be_target = self._target_walks and percept.range is Range.NEAR and percept.path is PathAhead.BLOCKED
        return _OTHERS if may_be_target else 1.0

    def _look(self, seen_from: Pose) -> Floats:
        """Note the floor in a picture; the probability for each cell that nothing hides it, 0 outside the picture."""
        view = view_from(self.ground, self.belief.grid, self.eyes, seen_from)
        close = self.belief.grid.polar_from(self.eyes.at(seen_from))[0] <= FLOOR_SEEN_TO_M
        self.floor.learn(np.flatnonzero(close), view[close])
        return view


def _trust(confidence: float) -> float:
    """How far to follow an answer: models are less sure of right answers than they should be."""
    return 0.3 + 0.7 * min(confidence, 1.0) if confidence >= 0.0 else 0.0
