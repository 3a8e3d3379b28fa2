"""What `validate`, `quantize` and `build --precision auto` share: precisions made, checked and compared."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.build.choice import Candidate, Choice, choose, keep_choice
from vlm_ros.build.store import EngineStore
from vlm_ros.commands.pictures import pictures
from vlm_ros.commands.progress import Report
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BadConfig

if TYPE_CHECKING:
    from vlm_ros.core.frame import Frame
    from vlm_ros.models.recording import Recording

CANDIDATES = ("int8", "q4", "quantized", "fp16")
"""What ``auto`` tries on ONNX Runtime, beside fp32."""


@dataclass(frozen=True)
class Material:
    """What the model did in fp32: on pictures to calibrate with, and on others, ``frames``, to check with."""

    calibration: Recording
    check: Recording
    frames: Sequence[Frame]


def checked_precisions(text: str, known: Collection[str]) -> list[str]:
    """The precisions in ``text``, separated by commas; ``BadConfig`` names the one that is not known."""
    precisions = [word.strip() for word in text.split(",") if word.strip()]
    unknown = [precision for precision in precisions if precision not in known]
    if unknown or not precisions:
        raise BadConfig(f"no precision '{''.join(unknown[:1])}': choose from {', '.join(known)}")
    return precisions


def choose_precisions(
    bundle: Bundle, store: EngineStore, images: Path | None, count: int, report: Report
) -> dict[str, Choice]:
    """Choose the precision of every part for this device and keep the choice in ``store``.

    Makes the precisions that ``bundle`` lacks, in the bundle's own folder.
    """
    from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
    from vlm_ros.models.recording import record

    report("looking at pictures", 0.0)
    frames = pictures(images, count, seed=count)
    calibration = record(bundle, {}, pictures(images, count, seed=0))
    material = Material(calibration, record(bundle, {}, frames), frames)
    choices = {}
    for number, part in enumerate(material.check.feeds):
        report(f"comparing the precisions of {part}", number / len(material.check.feeds))
        choices[part] = choose(_candidates(bundle, part, material))
    choices = checked_together(bundle, choices, material)
    for part, choice in choices.items():
        keep_choice(bundle, part, choice, store, OnnxRuntimeBuilder())
    return choices


def checked_together(bundle: Bundle, choices: Mapping[str, Choice], material: Material) -> dict[str, Choice]:
    """``choices``, or fp32 for all where parts that pass one by one give other answers together."""
    from vlm_ros.models.recording import answer_agreement, record

    graphs = {part: bundle.onnx(part, choice.precision) for part, choice in choices.items()}
    agreement = answer_agreement(bundle, record(bundle, graphs, material.frames), material.check)
    wanted = min(bundle.card.gate(choice.precision).tokens for choice in choices.values())
    if agreement >= wanted:
        return dict(choices)
    together = ", ".join(f"{part} {choice.precision}" for part, choice in choices.items())
    reason = f"with {together} only {agreement:.0%} of the tokens of whole answers stay (at least {wanted:.0%})"
    return {part: Choice("fp32", reason) for part in choices}


def _candidates(bundle: Bundle, part: str, material: Material) -> Sequence[Candidate]:
    """fp32 first; each precision with its time and what its gate says."""
    from vlm_ros.build.origin import is_stale
    from vlm_ros.build.precision.passes import write_part
    from vlm_ros.build.validation.timing import passes_s
    from vlm_ros.build.validation.validating import validate_part

    samples = material.check.feeds[part]
    for precision in CANDIDATES:
        if not has_precision(bundle, part, precision) or is_stale(bundle, part, precision):
            write_part(bundle, part, precision, material.calibration.feeds[part])
    faults: Mapping[str, Sequence[str]] = {
        "fp32": (),
        **{precision: validate_part(bundle, part, precision, samples).faults for precision in CANDIDATES},
    }
    times = passes_s({precision: bundle.onnx(part, precision) for precision in faults}, samples)
    return [Candidate(precision, times[precision], faults[precision]) for precision in faults]


def has_precision(bundle: Bundle, part: str, precision: str) -> bool:
    """Whether ``bundle`` brings ``part`` at ``precision``."""
    try:
        bundle.onnx(part, precision)
    except BadBundle:
        return False
    return True
