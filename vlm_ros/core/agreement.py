"""How close a tensor comes to the one it should be, and how close is close enough."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class Gate:
    """Bounds on an agreement; those left at their defaults ask for nothing.

    ``tokens`` is the smallest share of next tokens, 0..1, that must be the same.
    """

    mean_squared_error: float = math.inf
    absolute_error: float = math.inf
    correlation: float = -1.0
    cosine: float = -1.0
    tokens: float = 0.0


EXACT = Gate(mean_squared_error=1e-5, absolute_error=1e-4, correlation=0.999)
"""The same computation in the same precision, by other kernels."""

GATES: Mapping[str, Gate] = {
    "fp32": EXACT,
    "fp16": Gate(correlation=0.999, cosine=0.999, tokens=0.98),
    **{name: Gate(correlation=0.995, cosine=0.99, tokens=0.95) for name in ("int8", "uint8", "quantized", "qdq")},
    **{name: Gate(correlation=0.98, cosine=0.98, tokens=0.9) for name in ("q4", "q4f16", "bnb4")},
}
"""What is asked of a part at each precision where the model's card does not ask for something else."""


@dataclass(frozen=True)
class Agreement:
    """How close a tensor comes to the expected one; ``correlation`` is Pearson's."""

    mean_squared_error: float
    correlation: float
    max_absolute_error: float
    cosine: float

    @property
    def accepted(self) -> bool:
        """Whether it is the same computation; a figure that is not a number is none."""
        return not self.faults(EXACT)

    def faults(self, gate: Gate) -> tuple[str, ...]:
        """The bounds of ``gate`` that do not hold, in words; a figure that is not a number keeps no bound."""
        upper = (
            ("mean squared error", self.mean_squared_error, gate.mean_squared_error),
            ("largest error", self.max_absolute_error, gate.absolute_error),
        )
        lower = (("correlation", self.correlation, gate.correlation), ("cosine", self.cosine, gate.cosine))
        over = [f"{name} {value:.2g} (allowed {bound:.2g})" for name, value, bound in upper if not value < bound]
        under = [f"{name} {value:.5f} (at least {bound:g})" for name, value, bound in lower if not value > bound]
        return (*over, *under)

    def __str__(self) -> str:
        return (
            f"mean squared error {self.mean_squared_error:.1e} (allowed {EXACT.mean_squared_error:.0e}), "
            f"correlation {self.correlation:.6f} (at least {EXACT.correlation}), "
            f"largest error {self.max_absolute_error:.1e} (allowed {EXACT.absolute_error:.0e})"
        )


def agreement_of(actual: Array, expected: Array) -> Agreement:
    """Compare two tensors in double precision; ``ValueError`` where their shapes differ."""
    if actual.shape != expected.shape:
        raise ValueError(f"the shape is {actual.shape} instead of {expected.shape}")
    left, right = actual.astype(np.float64).ravel(), expected.astype(np.float64).ravel()
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant tensor has no correlation, and NaN is refused
        error = left - right
        correlation = float(np.corrcoef(left, right)[0, 1])
        cosine = float(left @ right / (np.linalg.norm(left) * np.linalg.norm(right)))
        return Agreement(float(np.mean(error**2)), correlation, float(np.max(np.abs(error))), cosine)
