"""Pictures as rows of square patches, as towers take them that look at pictures of any shape."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Grid = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True)
class PatchRows:
    """Pictures of one size: ``pixel_values`` (pictures, patches, 3 * side * side), ``grid`` of patches in each."""

    pixel_values: NDArray[np.float32]
    grid: Grid
