"""Layer by layer: what range each gives, and the first that gives what it must not.

A wrong answer begins in one layer, most often one whose numbers are too large for fp16. The graphs run
operator by operator here, so that no fused kernel with wider numbers inside hides it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from vlm_ros.build.precision.graph import Array, Feeds
from vlm_ros.build.precision.onnx_library import Model
from vlm_ros.build.precision.probe import Probe, in_groups, layer_names

_SLACK = 0.5
"""A range may grow by this share of its width: rounding moves it a little, a broken layer far."""

_STRAYED = 0.5
"""Rounding seldom moves a layer by half of its size; flipped signs or another order of its weights move it by more."""

_MASKED = np.float32(-1e30)
"""What lies below stands for minus infinity in an attention mask, whatever it saturates to; no fp16 number does."""


@dataclass(frozen=True)
class Range:
    """What a tensor held: ``low`` to ``high`` among its finite values, and how many were not finite."""

    low: float
    high: float
    nan: int
    inf: int

    @property
    def magnitude(self) -> float:
        """The largest absolute value; 0 where nothing was finite."""
        return max(abs(self.low), abs(self.high)) if self.low <= self.high else 0.0

    def joined(self, other: Range) -> Range:
        """Both together."""
        low, high = min(self.low, other.low), max(self.high, other.high)
        return Range(low, high, self.nan + other.nan, self.inf + other.inf)


@dataclass(frozen=True)
class Layer:
    """A node's result in both graphs; ``fault`` says what is wrong with its range, empty where nothing is.

    ``error`` is by how much it is off, as a share of the size of what the reference gives (of the root mean squares).
    """

    name: str
    operator: str
    dtype: str
    expected: Range
    actual: Range
    fault: str
    error: float


def compared_layers(reference: Model, candidate: Model, samples: Sequence[Feeds]) -> Iterator[Layer]:
    """The layers that both graphs have, in the order of ``candidate``; its own helpers have no counterpart."""
    nodes = {name: node for node in candidate.graph.node for name in node.output}
    shared = set(layer_names(reference))
    for names in in_groups([name for name in layer_names(candidate) if name in shared]):
        probes = Probe(reference, names), Probe(candidate, names)
        expected: dict[str, Range] = {}
        actual: dict[str, Range] = {}
        kinds: dict[str, np.dtype[np.generic]] = {}
        squares: dict[str, Array] = {}
        for feeds in samples:
            wanted, given = (probe.run(feeds) for probe in probes)
            for name in names:
                if wanted[name].dtype.kind != "f" or wanted[name].shape != given[name].shape:
                    continue
                kinds[name] = given[name].dtype
                _join(expected, name, range_of(wanted[name], wanted[name]))
                _join(actual, name, range_of(given[name], wanted[name]))
                squares[name] = squares.get(name, 0.0) + _squares(given[name], wanted[name])
        for name, kind in kinds.items():
            fault = fault_of(expected[name], actual[name], kind)
            error = _share(*squares[name])
            yield Layer(nodes[name].name, nodes[name].op_type, str(kind), expected[name], actual[name], fault, error)


def first_fault(layers: Sequence[Layer]) -> Layer | None:
    """Where it went wrong first."""
    return next((layer for layer in layers if layer.fault), None)


def first_strayed(layers: Sequence[Layer]) -> Layer | None:
    """The first that is off by more than half of its size, if none before has a fault.

    Only where an answer is wrong is it to blame: rounding may move far what nothing later hangs on.
    """
    sound = itertools.takewhile(lambda layer: not layer.fault, layers)
    return next((layer for layer in sound if layer.error > _STRAYED), None)


def range_of(array: Array, expected: Array) -> Range:
    """The range of ``array`` where ``expected`` is a number that counts."""
    counted = array[_counts(expected)]
    finite = counted[np.isfinite(counted)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (math.inf, -math.inf)
    return Range(low, high, int(np.isnan(counted).sum()), int(np.isinf(counted).sum()))


def fault_of(expected: Range, actual: Range, kind: np.dtype[np.generic]) -> str:
    """What is wrong with a layer that gives ``actual``, in numbers of ``kind``, instead of ``expected``."""
    should = f"the reference gives {expected.low:.3g} to {expected.high:.3g}"
    if actual.nan:
        return f"{actual.nan} values are not a number; {should}"
    if actual.inf:
        return f"{actual.inf} values are infinite; {should}"
    if expected.magnitude and not actual.magnitude:
        return f"all values are zero; {should}"
    if 0.0 < actual.magnitude < float(np.finfo(kind.name).tiny):
        return f"all values are denormal, {actual.magnitude:.1e} at most; {should}"
    slack = _SLACK * (expected.high - expected.low) + _SLACK * expected.magnitude * (expected.high == expected.low)
    if actual.low < expected.low - slack or actual.high > expected.high + slack:
        return f"values reach from {actual.low:.3g} to {actual.high:.3g}; {should}"
    return ""


def _join(ranges: dict[str, Range], name: str, new: Range) -> None:
    ranges[name] = ranges[name].joined(new) if name in ranges else new


def _squares(array: Array, expected: Array) -> Array:
    """The sums of the squares of the error and of what is ``expected``, where that is a number that counts."""
    left, right = (one[_counts(expected)].astype(np.float64) for one in (array, expected))
    return np.array([np.sum((left - right) ** 2), np.sum(right**2)])


def _share(error: float, expected: float) -> float:
    """The root of the one over the root of the other; 0 where nothing is off, also from nothing."""
    return math.sqrt(error / expected) if expected else math.inf if error else 0.0


def _counts(expected: Array) -> Array:
    counted: Array = np.isfinite(expected) & (expected > _MASKED)
    return counted
