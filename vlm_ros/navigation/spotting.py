"""Whether there is a target to go for, and where."""

from __future__ import annotations

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.belief import TargetBelief
from vlm_ros.navigation.place import Place

_LET_GO = 0.5
"""Share of ``sure_enough`` below which a target that was spotted counts as lost."""


class Spotting:
    """Spots a target when the belief is sure enough that there is one and where; lets go of it more reluctantly."""

    def __init__(self, sure_enough: float) -> None:
        self._sure_enough = sure_enough
        self.place: Place | None = None
        self.sure = False
        """Whether it is sure enough of it now to spot it anew."""
        self.ever = False
        """Whether it was once."""

    def update(self, belief: TargetBelief, pose: Pose) -> None:
        """Decide anew, after the belief has changed."""
        guess = belief.guess(pose)
        certainty = guess.certainty * belief.existence
        hold = 1.0 if self.place is None else _LET_GO
        goes_for_it = certainty >= hold * self._sure_enough
        self.place = Place.seen_at(pose, guess.angle_rad, guess.distance_m) if goes_for_it else None
        self.sure = certainty >= self._sure_enough
        self.ever = self.ever or self.sure
