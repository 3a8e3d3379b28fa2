"""``vlm_ros validate``: part by part, how closely a model's precisions follow its fp32 graphs, or its checkpoint."""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.commands.choosing import checked_precisions, has_precision
from vlm_ros.commands.out_folder import make_out_folder
from vlm_ros.commands.pictures import add_picture_arguments, pictures
from vlm_ros.commands.progress import Report, shown_progress
from vlm_ros.commands.validation_report import Findings, show_findings, write_findings
from vlm_ros.core.bundle import PRECISIONS, Bundle
from vlm_ros.core.errors import BadBundle, BadConfig, BuildFailed, require
from vlm_ros.core.places import find_bundle

if TYPE_CHECKING:
    from vlm_ros.build.run_memory import RunMemory
    from vlm_ros.build.validation.validating import PartReport
    from vlm_ros.core.frame import Frame
    from vlm_ros.runtime.runner import Runner

FAILED = 1
_CHECKED_FROM = 1000
"""Simulated rooms from here on; ``quantize`` calibrates on those before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Compare every part with its fp32 graph on what it is fed while the model answers: outputs, next tokens, "
        "whole answers, and the range of every layer. With --checkpoint, outputs and answers are compared with those "
        "of the checkpoint that the model was exported from, fp32 among them. The gates are in the model card. "
        "Status: 1 where a part misses its gate or the model gives no answer, 2 for an error, else 0."
    )
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE", help="name or folder of a model")
    parser.add_argument("--precision", default="", metavar="P,P", help="default: all that the model has")
    parser.add_argument(
        "--checkpoint", type=Path, metavar="DIR", help="the transformers checkpoint to compare with; needs torch"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report.json and report.png there")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    add_picture_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Validate and report, and let the findings be known to whoever builds or loads the model."""
    from vlm_ros.build.verdicts import keep_verdicts

    bundle = Bundle(find_bundle(arguments.bundle))
    wanted = checked_precisions(arguments.precision, PRECISIONS) if arguments.precision else []
    if arguments.out is not None:
        make_out_folder(arguments.out)
    frames = pictures(arguments.images, arguments.pictures, seed=_CHECKED_FROM)
    with shown_progress() as report:
        findings = _findings(bundle, wanted, frames, arguments.checkpoint, report)
    keep_verdicts(bundle, findings.verdicts)
    if arguments.out is not None:
        write_findings(findings, arguments.out)
    if arguments.json:
        print(json.dumps(findings.to_json(layers=False)))
    else:
        show_findings(findings)
    return FAILED if findings.failed else 0


def _findings(
    bundle: Bundle, wanted: Sequence[str], frames: Sequence[Frame], checkpoint: Path | None, report: Report
) -> Findings:
    """Of the precisions ``wanted``; empty: of all that are there."""
    from vlm_ros.build.validation.validating import validate_part
    from vlm_ros.models.recording import answer_agreement, record, record_runners

    report("asking the checkpoint" if checkpoint else "asking in fp32", 0.0)
    runners = _checkpoint_runners(bundle, checkpoint) if checkpoint else {}
    reference = record_runners(bundle, runners, frames) if runners else record(bundle, {}, frames)
    parts: list[PartReport] = []
    answers: dict[str, float] = {}
    unanswered: dict[str, str] = {}
    precisions = wanted or _precisions_there(bundle, list(reference.feeds), with_fp32=bool(runners))
    for number, precision in enumerate(precisions):
        report(f"checking {precision}", number / len(precisions))
        parts += [
            validate_part(bundle, part, precision, feeds, runners.get(part)) for part, feeds in reference.feeds.items()
        ]
        if precision == "fp32" and not runners:
            continue  # these are the answers that all others are compared with
        graphs = {part: bundle.onnx(part, precision) for part in reference.feeds}
        try:
            answers[precision] = answer_agreement(bundle, record(bundle, graphs, frames), reference)
        except BuildFailed as error:  # what the parts showed says why, and other precisions may be good
            answers[precision], unanswered[precision] = 0.0, str(error)
    memory = _memory(bundle, precisions, list(reference.feeds))
    beside = str(checkpoint) if checkpoint else "its fp32 graphs"
    return Findings(bundle.name, beside, parts, answers, unanswered, memory)


def _checkpoint_runners(bundle: Bundle, checkpoint: Path) -> Mapping[str, Runner]:
    """The parts of ``checkpoint``; ``BadBundle`` where it is not one of the kind that ``bundle`` was made of."""
    from vlm_ros.core.families import family_of
    from vlm_ros.export.bundle_files import read_json

    family = family_of(read_json(checkpoint / "config.json"), checkpoint)
    if family != family_of(bundle.config, bundle.folder):
        raise BadBundle(f"'{checkpoint}' is of the family {family.title}, which '{bundle.folder}' is not")
    for library in ("torch", "transformers"):
        require(library, "pip install 'vlm_ros[export]'")
    from vlm_ros.export.part_runner import checkpoint_runners

    return checkpoint_runners(family, checkpoint)


def _memory(bundle: Bundle, precisions: Sequence[str], parts: Sequence[str]) -> dict[str, RunMemory]:
    """What can be foreseen; not of graphs whose dimensions have names of their own, nor of broken ones."""
    from vlm_ros.build.run_memory import bundle_memory

    memory = {}
    for precision in precisions:
        with contextlib.suppress(BadBundle, BadConfig):
            memory[precision] = bundle_memory(bundle, precision, parts)
    return memory


def _precisions_there(bundle: Bundle, parts: Sequence[str], *, with_fp32: bool) -> list[str]:
    """All that the bundle has of every part; fp32 where it is asked for, or where there is nothing else."""
    there = [precision for precision in PRECISIONS if all(has_precision(bundle, part, precision) for part in parts)]
    return [precision for precision in there if with_fp32 or precision != "fp32"] or there
