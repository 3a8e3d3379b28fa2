"""``vlm_ros validate``: part by part, how closely a model's precisions follow its fp32 graphs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.commands.choosing import checked_precisions, has_precision
from vlm_ros.commands.pictures import add_picture_arguments, pictures
from vlm_ros.commands.progress import Report, shown_progress
from vlm_ros.commands.validation_report import Findings, show_findings, write_findings
from vlm_ros.core.bundle import PRECISIONS, Bundle
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.places import find_bundle

if TYPE_CHECKING:
    from vlm_ros.build.run_memory import RunMemory
    from vlm_ros.build.validation.validating import PartReport
    from vlm_ros.core.frame import Frame

FAILED = 1
_CHECKED_FROM = 1000
"""Simulated rooms from here on; ``quantize`` calibrates on those before."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Compare every part with its fp32 graph on what it is fed while the model answers: outputs, next tokens, "
        "whole answers, and the range of every layer. The gates are in the model card. Status: 0 where all parts "
        "passed, 1 where one did not, 2 for an error."
    )
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE", help="name or folder of a model")
    parser.add_argument("--precision", default="", metavar="P,P", help="default: all that the model has")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write report.json and report.png there")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    add_picture_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Validate and report."""
    bundle = Bundle(find_bundle(arguments.bundle))
    wanted = checked_precisions(arguments.precision, PRECISIONS) if arguments.precision else []
    frames = pictures(arguments.images, arguments.pictures, seed=_CHECKED_FROM)
    with shown_progress() as report:
        findings = _findings(bundle, wanted, frames, report)
    if arguments.out is not None:
        write_findings(findings, arguments.out)
    if arguments.json:
        print(json.dumps(findings.to_json(layers=False)))
    else:
        show_findings(findings)
    return 0 if findings.passed else FAILED


def _findings(bundle: Bundle, wanted: Sequence[str], frames: Sequence[Frame], report: Report) -> Findings:
    """Of the precisions ``wanted``; empty: of all that are there."""
    from vlm_ros.build.validation.validating import validate_part
    from vlm_ros.models.recording import answer_agreement, record

    report("asking in fp32", 0.0)
    reference = record(bundle, {}, frames)
    parts: list[PartReport] = []
    answers: dict[str, float] = {}
    precisions = wanted or _precisions_there(bundle, list(reference.feeds))
    for number, precision in enumerate(precisions):
        report(f"checking {precision}", number / len(precisions))
        parts += [validate_part(bundle, part, precision, feeds) for part, feeds in reference.feeds.items()]
        graphs = {part: bundle.onnx(part, precision) for part in reference.feeds}
        answers[precision] = answer_agreement(bundle, record(bundle, graphs, frames), reference)
    return Findings(bundle.name, parts, answers, _memory(bundle, precisions, list(reference.feeds)))


def _memory(bundle: Bundle, precisions: Sequence[str], parts: Sequence[str]) -> dict[str, RunMemory]:
    """What can be foreseen; not of graphs whose dimensions have names of their own."""
    from vlm_ros.build.run_memory import bundle_memory

    try:
        return {precision: bundle_memory(bundle, precision, parts) for precision in precisions}
    except BadConfig:
        return {}


def _precisions_there(bundle: Bundle, parts: Sequence[str]) -> list[str]:
    """All that the bundle has of every part; fp32 alone only where there is nothing else."""
    there = [precision for precision in PRECISIONS if all(has_precision(bundle, part, precision) for part in parts)]
    return [precision for precision in there if precision != "fp32"] or there
