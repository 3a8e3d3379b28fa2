"""Which floor the camera has looked at: for each cell the probability that it was in full view in the best picture.

The best one counts, not all together: pictures taken past the same unknown wall miss the same floor.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.navigation.grid import Floats, Grid


class Floor:
    """Starts unseen."""

    def __init__(self, grid: Grid) -> None:
        self.seen: Floats = np.zeros(grid.count**2)

    def learn(self, cells: NDArray[np.int64], share: Floats) -> None:
        """Take in that ``cells`` have been in a picture, each in full view with the probability ``share``."""
        self.seen[cells] = np.maximum(self.seen[cells], share)
