"""The report on one part at one precision, and whether it may be used."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vlm_ros.build.external_data import external_files, total_bytes
from vlm_ros.build.origin import check_origin
from vlm_ros.build.precision.branches import without_branches
from vlm_ros.build.precision.files import read_model
from vlm_ros.build.precision.graph import Feeds
from vlm_ros.build.precision.onnx_library import Model
from vlm_ros.build.precision.probe import layer_names
from vlm_ros.build.validation.layers import Layer, compared_layers, first_fault, first_strayed
from vlm_ros.build.validation.outputs import compared_outputs, faults_of
from vlm_ros.core.agreement import Agreement
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BuildFailed, VlmRosError
from vlm_ros.runtime.runner import Runner

_NO_AGREEMENT = Agreement(math.nan, math.nan, math.nan, math.nan)


@dataclass(frozen=True)
class PartReport:
    """``outputs`` by name; ``tokens`` is the share of equal next tokens, ``None`` for parts that have none.

    ``layers`` are those with a counterpart in fp32, and those that are wrong without one; ``layer_count`` counts all.
    ``faults`` says which bounds do not hold and which layer fails first; empty where the part may be used.
    """

    part: str
    precision: str
    size_bytes: int
    reference_bytes: int
    outputs: Mapping[str, Agreement]
    tokens: float | None
    layers: Sequence[Layer]
    layer_count: int
    faults: tuple[str, ...]

    @property
    def verdict(self) -> str:
        """``passed``, or why that cannot be said in a word or two."""
        if self.faults:
            return "not used"
        if not self.outputs:
            return "not compared"
        if self.precision != "fp32" and self.size_bytes >= self.reference_bytes:
            return "no smaller"  # none of its weights are narrower: it answers as fp32 does because it is fp32
        return "passed"

    @property
    def passed(self) -> bool:
        """Whether the part may be used, and is what its precision says."""
        return self.verdict == "passed"

    @property
    def compared_count(self) -> int:
        """How many layers have a counterpart in fp32; others are told of only where they need none to be wrong."""
        return sum(not layer.alone for layer in self.layers)

    @property
    def worst(self) -> Agreement:
        """Of the output that correlates least: not at all where that is no number; of none where none was compared."""
        return min(
            self.outputs.values(),
            key=lambda one: -math.inf if math.isnan(one.correlation) else one.correlation,
            default=_NO_AGREEMENT,
        )

    def to_json(self) -> dict[str, Any]:
        """Everything, and whether the part passed."""
        derived = {"compared_count": self.compared_count, "verdict": self.verdict, "passed": self.passed}
        return {**asdict(self), **derived}


def validate_part(
    bundle: Bundle, part: str, precision: str, samples: Sequence[Feeds], checkpoint: Runner | None = None
) -> PartReport:
    """Compare ``part`` at ``precision`` with its fp32 graph on ``samples``, by the gate of the bundle's card.

    With ``checkpoint``, which runs the part as the checkpoint does, outputs are compared with its own; layers are
    compared with the fp32 graph's all the same. Without one fp32 is not compared: itself agrees with it in any case.
    ``BadBundle`` where a file is missing, the two are not of the same part, or the one was made of another fp32 graph;
    what is no whole ONNX file, or cannot be loaded or run, has that for a fault.
    """
    reference, candidate = bundle.onnx(part), bundle.onnx(part, precision)
    if precision == "fp32" and checkpoint is None:
        size = total_bytes(reference)
        return PartReport(part, precision, size, size, {}, None, (), 0, ())
    try:
        external_files(candidate)
    except BadBundle as error:
        return _unusable(part, precision, candidate, reference, error)
    check_origin(bundle, part, precision)
    try:
        outputs, tokens = compared_outputs(checkpoint or reference, candidate, samples)
    except BuildFailed as error:
        return _unusable(part, precision, candidate, reference, error)
    except (ValueError, KeyError) as error:
        raise BadBundle(f"'{candidate}' is not '{reference.name}' in other numbers ({error}): make it again") from error
    wide, narrow = (without_branches(read_model(path), samples) for path in (reference, candidate))
    layers = list(compared_layers(wide, narrow, samples))
    faults = faults_of(outputs, tokens, bundle.card.gate(precision))
    wrong = first_fault(layers)
    if wrong is not None:
        faults.append(f"first wrong layer '{wrong.name}' ({wrong.operator}, {wrong.dtype}): {wrong.fault}")
    strayed = first_strayed(layers) if faults else None
    if strayed is not None:
        off = f"off by {strayed.error:.0%} of its size"
        faults.append(f"first layer that strays '{strayed.name}' ({strayed.operator}, {strayed.dtype}): {off}")
    if faults and wrong is None and not _same_names(wide, narrow):
        compared = sum(not layer.alone for layer in layers)
        faults.append(
            f"only {compared} of {len(layers)} layers are called as one of fp32's and could be compared: no other is "
            "wrong by itself, with values that are no numbers, infinite, or all zero"
        )
    sizes = total_bytes(candidate), total_bytes(reference)
    told = [layer for layer in layers if layer.fault or not layer.alone]
    return PartReport(part, precision, *sizes, outputs, tokens, told, len(layers), tuple(faults))


def _same_names(reference: Model, candidate: Model) -> bool:
    """Whether most layers of ``reference`` are in ``candidate``, as in one that was made of it, or exported alike."""
    names = set(layer_names(reference))
    return 2 * len(names.intersection(layer_names(candidate))) > len(names)


def _unusable(part: str, precision: str, candidate: Path, reference: Path, error: VlmRosError) -> PartReport:
    """The report on a part that ``error`` keeps from being compared; its size is that of the graph's file alone."""
    sizes = candidate.stat().st_size, total_bytes(reference)
    return PartReport(part, precision, *sizes, {}, None, (), 0, (str(error),))
