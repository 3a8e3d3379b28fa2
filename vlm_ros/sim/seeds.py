"""Which seeds may be looked at for what: scenes of one range never appear in another."""

from __future__ import annotations

from dataclasses import dataclass

from vlm_ros.core.errors import BadConfig


@dataclass(frozen=True)
class Split:
    """A half-open range of scene seeds, ``first <= seed < end``."""

    name: str
    first: int
    end: int

    def __contains__(self, seed: int) -> bool:
        return self.first <= seed < self.end

    def seed(self, index: int) -> int:
        """The ``index``-th seed of this split."""
        seed = self.first + index
        if seed not in self:
            raise BadConfig(f"{self.name} has no scene {index}: it holds {self.end - self.first} seeds")
        return seed


TRAINING = Split("training", 0, 100_000)
DEVELOPMENT = Split("development", 100_000, 200_000)
TEST = Split("test", 900_000, 2**32)
SPLITS = (TRAINING, DEVELOPMENT, TEST)


def checked_seed(seed: int, split: Split) -> int:
    """``seed`` itself, or ``BadConfig`` where it lies outside ``split``."""
    if seed not in split:
        raise BadConfig(f"seed {seed} is not for {split.name}: give one of {split.first}..{split.end - 1}")
    return seed
