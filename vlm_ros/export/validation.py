"""Whether what was exported answers as the checkpoint does. Nothing is called a success before it passed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from vlm_ros.core.errors import ExportFailed
from vlm_ros.export.part import NamedTensors, Part, Sizes
from vlm_ros.runtime.runner import Runner

MAX_MEAN_SQUARED_ERROR = 1e-5
MAX_ABSOLUTE_ERROR = 1e-4
MIN_CORRELATION = 0.999

CHECKED_SIZES = (Sizes(1, 7, 0), Sizes(1, 1, 7), Sizes(3, 2, 4), Sizes(3, 11, 0))
"""A prompt, a step, and batches of both kinds; none of them the sizes that the export was traced with."""

Array = NDArray[np.generic]


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
    correlation = float(np.corrcoef(left, right)[0, 1])
    return Agreement(float(np.mean(error**2)), correlation, float(np.max(np.abs(error))))


def check_part(part: Part, runner: Runner) -> Agreement:
    """The worst agreement over all checked sizes and outputs; ``ExportFailed`` where one is not accepted."""
    agreements = []
    for sizes in CHECKED_SIZES:
        inputs = part.draw(sizes)
        with torch.inference_mode():
            expected = part(inputs)
        exported = runner.run(arrays_from_tensors(inputs))
        for name, tensor in expected.items():
            agreement = agreement_of(exported[name], tensor.numpy())
            if not agreement.accepted:
                raise ExportFailed(f"'{part.name}' differs from the checkpoint in '{name}' for {sizes}: {agreement}")
            agreements.append(agreement)
    return max(agreements, key=lambda agreement: agreement.max_absolute_error)


def arrays_from_tensors(tensors: NamedTensors) -> Mapping[str, Array]:
    """The same tensors for a runner, without a copy."""
    return {name: tensor.numpy() for name, tensor in tensors.items()}
