"""What `validate`, `quantize` and `build --precision auto` share: precisions made, checked and compared."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.build.builder import EngineBuilder
from vlm_ros.build.building import build_bundle
from vlm_ros.build.choice import Candidate, Choice, choose, keep_choice
from vlm_ros.build.external_data import total_bytes
from vlm_ros.build.store import EngineStore
from vlm_ros.build.tensorrt.options import TensorRtOptions
from vlm_ros.build.vendors import ONNXRUNTIME, TENSORRT, builder_for
from vlm_ros.build.verdicts import Verdict, keep_verdicts
from vlm_ros.commands.pictures import pictures
from vlm_ros.commands.progress import Report
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BadConfig, BuildFailed

if TYPE_CHECKING:
    from vlm_ros.build.precision.graph import Feeds
    from vlm_ros.core.frame import Frame
    from vlm_ros.models.recording import Recording

CANDIDATES = {ONNXRUNTIME: ("int8", "q4", "quantized", "fp16"), TENSORRT: ("fp16", "int8", "q4", "q4f16")}
"""What ``auto`` tries beside fp32, by runtime: TensorRT does not scale activations while it runs."""

NO_SMALLER = "no smaller than fp32: none of its weights are narrower"
"""What is said of a file that a precision changes nothing in: it answers as fp32 does because it is fp32."""


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
    bundle: Bundle,
    store: EngineStore,
    images: Path | None,
    count: int,
    report: Report,
    *,
    runtime: str = ONNXRUNTIME,
    options: TensorRtOptions | None = None,
) -> dict[str, Choice]:
    """Choose the precision of every part for this device and ``runtime``, and keep the choice in ``store``.

    ``options`` are those that TensorRT's engines are built with: another batch is another choice.
    Makes the precisions that ``bundle`` lacks, in the bundle's own folder, and for TensorRT their engines.
    """
    from vlm_ros.models.recording import record

    bench = _Bench(bundle, store, builder_for(runtime, bundle, options), runtime)
    report("looking at pictures", 0.0)
    frames = pictures(images, count, seed=count)
    calibration = record(bundle, {}, pictures(images, count, seed=0))
    material = Material(calibration, record(bundle, {}, frames), frames)
    choices = {}
    for number, part in enumerate(material.check.feeds):
        report(f"comparing the precisions of {part}", number / len(material.check.feeds))
        choices[part] = choose(_candidates(bench, part, material))
    files = {part: bench.file(part, choice.precision) for part, choice in choices.items()}
    choices = checked_together(bundle, choices, material, files)
    for part, choice in choices.items():
        keep_choice(bundle, part, choice, store, bench.builder)
    return choices


def checked_together(
    bundle: Bundle, choices: Mapping[str, Choice], material: Material, files: Mapping[str, Path] | None = None
) -> dict[str, Choice]:
    """``choices``, or fp32 for all where parts that pass one by one give other answers together.

    ``files`` are the engines of the parts, ``None`` where their ONNX files are run.
    """
    from vlm_ros.models.recording import answer_agreement, record

    graphs = files or {part: bundle.onnx(part, choice.precision) for part, choice in choices.items()}
    agreement = answer_agreement(bundle, record(bundle, graphs, material.frames), material.check)
    wanted = min(bundle.card.gate(choice.precision).tokens for choice in choices.values())
    if agreement >= wanted:
        return dict(choices)
    together = ", ".join(f"{part} {choice.precision}" for part, choice in choices.items())
    reason = f"with {together} only {agreement:.0%} of the tokens of whole answers stay (at least {wanted:.0%})"
    return {part: Choice("fp32", reason) for part in choices}


@dataclass(frozen=True)
class _Bench:
    """Where candidates run: ONNX Runtime takes the ONNX files as they are, TensorRT engines of them."""

    bundle: Bundle
    store: EngineStore
    builder: EngineBuilder
    runtime: str

    def file(self, part: str, precision: str) -> Path:
        """What runs ``part`` at ``precision``; ``BuildFailed`` where no engine of it can be built."""
        if self.runtime == ONNXRUNTIME:
            return self.bundle.onnx(part, precision)
        built = build_bundle(
            self.bundle, self.store, precision=precision, builder=self.builder, parts=[part], ignore_gate=True
        )
        return built[part]

    def faults(self, part: str, precision: str, samples: Sequence[Feeds]) -> Sequence[str]:
        """Why ``part`` may not be used at ``precision``; empty where it may."""
        from vlm_ros.build.validation.outputs import NOT_COMPARED, compared_outputs, faults_of
        from vlm_ros.build.validation.validating import validate_part

        if not samples:  # no engine is built for that
            return [NOT_COMPARED]
        if self.runtime == ONNXRUNTIME:
            faults = validate_part(self.bundle, part, precision, samples).faults
            keep_verdicts(self.bundle, [Verdict(part, precision, faults)])
            return faults
        try:
            outputs, tokens = compared_outputs(self.bundle.onnx(part), self.file(part, precision), samples)
        except (BuildFailed, ValueError) as error:
            return [str(error)]
        return faults_of(outputs, tokens, self.bundle.card.gate(precision))


def _candidates(bench: _Bench, part: str, material: Material) -> Sequence[Candidate]:
    """fp32 first; each precision with what is wrong with it, or the time that it takes."""
    from vlm_ros.build.validation.timing import passes_s

    faults: dict[str, Sequence[str]] = {"fp32": ()}
    faults.update({precision: _faults(bench, part, precision, material) for precision in CANDIDATES[bench.runtime]})
    usable = [precision for precision in faults if not faults[precision]]
    times = passes_s({precision: bench.file(part, precision) for precision in usable}, material.check.feeds[part])
    return [Candidate(precision, times.get(precision, math.inf), faults[precision]) for precision in faults]


def _faults(bench: _Bench, part: str, precision: str, material: Material) -> Sequence[str]:
    """Why ``part`` may not be used at ``precision``, which is made where it is missing: one broken file, or a graph
    that one precision cannot be made of, leaves the others to choose from."""
    from vlm_ros.build.origin import is_stale
    from vlm_ros.build.precision.passes import write_part

    try:
        if not has_precision(bench.bundle, part, precision) or is_stale(bench.bundle, part, precision):
            write_part(bench.bundle, part, precision, material.calibration.feeds[part])
        if not is_smaller(bench.bundle, part, precision):
            return [NO_SMALLER]
        return bench.faults(part, precision, material.check.feeds[part])
    except (BadBundle, BuildFailed) as error:
        return [str(error)]


def is_smaller(bundle: Bundle, part: str, precision: str) -> bool:
    """Whether ``part`` at ``precision`` is smaller than at fp32, as it is where its weights are narrower."""
    return total_bytes(bundle.onnx(part, precision)) < total_bytes(bundle.onnx(part))


def has_precision(bundle: Bundle, part: str, precision: str) -> bool:
    """Whether ``bundle`` brings ``part`` at ``precision``."""
    try:
        bundle.onnx(part, precision)
    except BadBundle:
        return False
    return True
