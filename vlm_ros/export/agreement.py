"""How close an exported tensor comes to the checkpoint's own, and how close is close enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import ExportFailed

MAX_MEAN_SQUARED_ERROR = 1e-5
MAX_ABSOLUTE_ERROR = 1e-4
MIN_CORRELATION = 0.999

Array = NDArray[Any]


@dataclass(frozen=True)
class Agreement:
    """How close an exported tensor comes to the checkpoint's own; correlation is Pearson's."""

    mean_squared_error: float
    correlation: float
    max_absolute_error: float

    @property
    def accepted(self) -> bool:
        """Whether all three bounds hold; a figure that is not a number holds none."""
        return (
            self.mean_squared_error < MAX_MEAN_SQUARED_ERROR
            and self.correlation > MIN_CORRELATION
            and self.max_absolute_error < MAX_ABSOLUTE_ERROR
        )

    def __str__(self) -> str:
        return (
            f"mean squared error {self.mean_squared_error:.1e} (allowed {MAX_MEAN_SQUARED_ERROR:.0e}), "
            f"correlation {self.correlation:.6f} (at least {MIN_CORRELATION}), "
            f"largest error {self.max_absolute_error:.1e} (allowed {MAX_ABSOLUTE_ERROR:.0e})"
        )


def agreement_of(exported: Array, expected: Array) -> Agreement:
    """Compare two tensors, which must have the same shape, in double precision."""
    if exported.shape != expected.shape:
        raise ExportFailed(f"the exported graph gives shape {exported.shape}, the checkpoint {expected.shape}")
    left, right = exported.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    error = left - right
    with np.errstate(invalid="ignore"):  # a constant tensor has no correlation, and NaN is refused
        correlation = float(np.corrcoef(left, right)[0, 1])
    return Agreement(float(np.mean(error**2)), correlation, float(np.max(np.abs(error))))
