"""How large the numbers in a graph get, measured, and which nodes fp16 cannot hold them for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from vlm_ros.build.precision.graph import Array, Feeds, constants
from vlm_ros.build.precision.onnx_library import Model, Node
from vlm_ros.build.precision.probe import Probe, in_groups, layer_names

LARGEST = 65504.0 / 2
"""Half of fp16's largest number: what was not measured may be twice as large as what was."""

SMALLEST = 6.104e-5
"""Below, fp16 numbers lose digits one by one."""

MASKED = np.float32(-1e30)
"""What lies below stands for minus infinity in an attention mask, whatever it saturates to; no fp16 number does."""

_POWERS_INSIDE = (
    "LayerNormalization",
    "RMSNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "MeanVarianceNormalization",
    "LpNormalization",
    "ReduceL2",
)
"""Operators that sum up powers of what they read, squares but for ``p``."""


@dataclass(frozen=True)
class Peak:
    """The largest magnitude in a tensor, and how many elements it has at most."""

    magnitude: float
    elements: int

    def or_larger(self, other: Peak) -> Peak:
        """Both at their largest."""
        return Peak(max(self.magnitude, other.magnitude), max(self.elements, other.elements))


def measured_peaks(model: Model, samples: Sequence[Feeds]) -> dict[str, Peak]:
    """The peak of every float in ``model`` over ``samples``, its weights among them."""
    peaks: dict[str, Peak] = {}
    _add_peaks(peaks, constants(model))
    for names in in_groups(layer_names(model)):
        probe = Probe(model, names)
        for feeds in samples:
            _add_peaks(peaks, feeds)
            _add_peaks(peaks, probe.run(feeds))
    return peaks


def _add_peaks(peaks: dict[str, Peak], arrays: Feeds) -> None:
    for name, array in arrays.items():
        if array.dtype.kind == "f":
            peaks[name] = _peak(array).or_larger(peaks.get(name, Peak(0.0, 0)))


def leaves_fp16(node: Node, peaks: Mapping[str, Peak]) -> bool:
    """Whether ``node`` meets tensors too large or too small for fp16: into it, out of it, or summed up on the way."""
    into = [peaks[name] for name in node.input if name in peaks]
    out = [peaks[name] for name in node.output if name in peaks]
    magnitudes = [*(peak.magnitude for peak in (*into, *out)), *_magnitudes_inside(node, into, out)]
    return any(not magnitude <= LARGEST or 0 < magnitude < SMALLEST for magnitude in magnitudes)


def _magnitudes_inside(node: Node, into: Sequence[Peak], out: Sequence[Peak]) -> Iterator[float]:
    """What ``node`` sums up on its way from ``into`` to ``out``."""
    if node.op_type == "ReduceMean":
        yield from (peak.magnitude * into[0].elements / peak.elements for peak in out if peak.elements)
    power = next((attribute.i for attribute in node.attribute if attribute.name == "p"), 2)
    if node.op_type in _POWERS_INSIDE:
        yield from (peak.magnitude**power for peak in into[:1])
    if node.op_type == "ReduceL2":
        yield from (peak.magnitude**power for peak in out)
    if node.op_type == "LpNormalization":  # it has divided by the norm
        yield from ((into[0].magnitude / peak.magnitude) ** power for peak in out if peak.magnitude)


def _peak(array: Array) -> Peak:
    counted = np.abs(array[~(array < MASKED)])
    return Peak(float(counted.max()) if counted.size else 0.0, array.size)
