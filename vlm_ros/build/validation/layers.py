"""Layer by layer: what range each gives, and the first that gives what it must not.

A wrong answer begins in one layer, most often one whose numbers are too large for fp16. The graphs run
operator by operator here, so that no fused kernel with wider numbers inside hides it.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vlm_ros.build.precision.graph import Array, Feeds
from vlm_ros.build.precision.onnx_library import Model, Node
from vlm_ros.build.precision.probe import Probe, in_groups, layer_names
from vlm_ros.build.precision.ranges import MASKED

_SLACK = 0.5
"""A range may grow by this share of its width: rounding moves it a little, a broken layer far."""

_STRAYED = 0.5
"""Rounding seldom moves a layer by half of its size; flipped signs or another order of its weights move it by more."""

_PRODUCTS = ("MatMul", "Gemm", "Conv", "Attention")
"""What is in the names of operators, those beyond the standard among them, whose results are never all zero."""

_BREAKAGES = {
    "nan": "{0.nan} values are not a number",
    "inf": "{0.inf} values are infinite",
    "zero": "all values are zero",
    "denormal": "all values are denormal, {0.magnitude:.1e} at most",
}
"""What no layer should give, whatever it computes."""


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


_NOTHING = Range(math.inf, -math.inf, 0, 0)


@dataclass(frozen=True)
class Layer:
    """A node's result in both graphs; ``fault`` says what is wrong with its range, empty where nothing is.

    ``error`` is by how much it is off, as a share of the size of what the reference gives (of the root mean squares).
    A layer ``alone`` has no counterpart in the reference: nothing is ``expected`` of it, and no ``error`` known.
    """

    name: str
    operator: str
    dtype: str
    expected: Range
    actual: Range
    fault: str
    error: float
    alone: bool = False


def compared_layers(reference: Model, candidate: Model, samples: Sequence[Feeds]) -> Iterator[Layer]:
    """The layers of ``candidate`` that give floats, in its order, beside those of the same name in ``reference``.

    Of those alone, as are all of another exporter's and the helpers of our own passes, what needs no counterpart is
    told: that values are no numbers, infinite, or a product's all zero or denormal, where no layer of ``reference``
    has such.
    """
    nodes = {name: node for node in candidate.graph.node for name in node.output}
    shared = set(layer_names(reference))
    usual = _Usual(reference, samples)
    for names in in_groups(layer_names(candidate)):
        both = [name for name in names if name in shared]
        probes = Probe(reference, both) if both else None, Probe(candidate, names)
        found = {name: _Found(nodes[name]) for name in names}
        for feeds in samples:
            wanted, given = (probe.run(feeds) if probe else {} for probe in probes)
            for name, array in given.items():
                if array.dtype.kind == "f":
                    found[name].add(array, wanted.get(name))
        yield from (one.layer(usual) for one in found.values() if one.kind is not None)


class _Found:
    """What ``node`` gave in all samples so far."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._expected, self._actual = _NOTHING, _NOTHING
        self._squares: Array = np.zeros(2)
        self._alone = False
        self.kind: np.dtype[np.generic] | None = None

    def add(self, given: Array, wanted: Array | None) -> None:
        """One more sample, and what the reference gave; ``None`` where it gave nothing of that name."""
        self.kind = given.dtype
        if wanted is None or wanted.dtype.kind != "f" or wanted.shape != given.shape:
            self._alone = True
            self._actual = self._actual.joined(_own_range(given, self._node))
            return
        self._expected = self._expected.joined(range_of(wanted, wanted))
        self._actual = self._actual.joined(range_of(given, wanted))
        self._squares = self._squares + _squares(given, wanted)

    def layer(self, usual: _Usual) -> Layer:
        """All samples together."""
        assert self.kind is not None
        name, operator = self._node.name or self._node.output[0], self._node.op_type
        if self._alone:
            fault = own_fault(self._actual, self.kind, usual)
            return Layer(name, operator, str(self.kind), _NOTHING, self._actual, fault, 0.0, alone=True)
        fault, error = fault_of(self._expected, self._actual, self.kind), _share(*self._squares)
        return Layer(name, operator, str(self.kind), self._expected, self._actual, fault, error)


class _Usual:
    """Which breakages ``reference`` itself has in some layer, asked for only where another graph has one."""

    def __init__(self, reference: Model, samples: Sequence[Feeds]) -> None:
        self._reference = reference
        self._samples = samples

    @cached_property
    def breakages(self) -> set[str]:
        """As ``_breakage`` calls them."""
        nodes = {name: node for node in self._reference.graph.node for name in node.output}
        found: set[str] = set()
        for names in in_groups(layer_names(self._reference)):
            probe = Probe(self._reference, names)
            for feeds in self._samples:
                floats = {name: array for name, array in probe.run(feeds).items() if array.dtype.kind == "f"}
                found |= {_breakage(_own_range(array, nodes[name]), array.dtype) for name, array in floats.items()}
        return found


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
    breakage = _breakage(actual, kind)
    if breakage and (breakage != "zero" or expected.magnitude):
        return f"{_BREAKAGES[breakage].format(actual)}; {should}"
    slack = _SLACK * (expected.high - expected.low) + _SLACK * expected.magnitude * (expected.high == expected.low)
    if actual.low < expected.low - slack or actual.high > expected.high + slack:
        return f"values reach from {actual.low:.3g} to {actual.high:.3g}; {should}"
    return ""


def own_fault(actual: Range, kind: np.dtype[np.generic], usual: _Usual) -> str:
    """As ``fault_of`` where nothing is known of what the layer should give, but what is ``usual`` in the reference."""
    breakage = _breakage(actual, kind)
    if not breakage or breakage in usual.breakages:
        return ""
    return f"{_BREAKAGES[breakage].format(actual)}; the reference has no layer of that name, and none with such values"


def _breakage(actual: Range, kind: np.dtype[np.generic]) -> str:
    """Which of ``_BREAKAGES`` a layer shows; empty for none."""
    if actual.nan or actual.inf:
        return "nan" if actual.nan else "inf"
    if actual.low > actual.high:
        return ""
    if not actual.magnitude:
        return "zero"
    return "denormal" if actual.magnitude < float(np.finfo(kind.name).tiny) else ""


def _own_range(array: Array, node: Node) -> Range:
    """The range of what ``node`` gives, as far as it can be wrong by itself: masks may be minus infinity, or zero."""
    nan = int(np.isnan(array).sum())
    if any(word in node.op_type for word in _PRODUCTS):
        finite = array[np.isfinite(array)]
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (math.inf, -math.inf)
        return Range(low, high, nan, int(np.isinf(array).sum()))
    return Range(math.inf, -math.inf, nan, int(np.isposinf(array).sum()))


def _squares(array: Array, expected: Array) -> Array:
    """The sums of the squares of the error and of what is ``expected``, where that is a number that counts."""
    left, right = (one[_counts(expected)].astype(np.float64) for one in (array, expected))
    return np.array([np.sum((left - right) ** 2), np.sum(right**2)])


def _share(error: float, expected: float) -> float:
    """The root of the one over the root of the other; 0 where nothing is off, also from nothing."""
    return math.sqrt(error / expected) if expected else math.inf if error else 0.0


def _counts(expected: Array) -> Array:
    counted: Array = np.isfinite(expected) & (expected > MASKED)
    return counted
