"""``vlm_ros validate``: part by part, how closely a model's precisions follow its fp32 graphs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vlm_ros.commands.choosing import checked_precisions, has_precision
from vlm_ros.commands.pictures import add_picture_arguments, pictures
from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.bundle import PRECISIONS, Bundle
from vlm_ros.core.places import find_bundle

if TYPE_CHECKING:
    from vlm_ros.build.validation.validating import PartReport
    from vlm_ros.commands.recording import Recording

FAILED = 1
_CHECKED_FROM = 1000
"""Simulated rooms from here on; ``quantize`` calibrates on those before."""

_TABLE_COLUMNS = 116


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
    from vlm_ros.commands.recording import answer_agreement, record

    bundle = Bundle(find_bundle(arguments.bundle))
    wanted = checked_precisions(arguments.precision, PRECISIONS) if arguments.precision else []
    frames = pictures(arguments.images, arguments.pictures, seed=_CHECKED_FROM)
    with shown_progress() as report:
        report("asking in fp32", 0.0)
        reference = record(bundle, {}, frames)
        precisions = wanted or _precisions_there(bundle, list(reference.feeds))
        reports: list[PartReport] = []
        answers: dict[str, float] = {}
        for number, precision in enumerate(precisions):
            report(f"checking {precision}", number / len(precisions))
            reports += _part_reports(bundle, precision, reference)
            engines = {part: bundle.onnx(part, precision) for part in reference.feeds}
            answers[precision] = answer_agreement(bundle, record(bundle, engines, frames), reference)
    content = _content(bundle, reports, answers)
    if arguments.out is not None:
        _write(arguments.out, content, reports)
    if arguments.json:
        print(json.dumps({**content, "parts": [_without_layers(part) for part in content["parts"]]}))
    else:
        _show(reports, answers)
    return 0 if content["passed"] else FAILED


def _precisions_there(bundle: Bundle, parts: Sequence[str]) -> list[str]:
    """All that the bundle has of every part; fp32 alone only where there is nothing else."""
    there = [precision for precision in PRECISIONS if all(has_precision(bundle, part, precision) for part in parts)]
    return [precision for precision in there if precision != "fp32"] or there


def _part_reports(bundle: Bundle, precision: str, reference: Recording) -> list[PartReport]:
    from vlm_ros.build.validation.validating import validate_part

    return [validate_part(bundle, part, precision, feeds) for part, feeds in reference.feeds.items()]


def _content(bundle: Bundle, reports: Sequence[PartReport], answers: Mapping[str, float]) -> dict[str, Any]:
    """The report as JSON; ``answers`` is the share of tokens of whole answers that are as in fp32."""
    return {
        "model": bundle.name,
        "passed": all(report.passed for report in reports),
        "answers": dict(answers),
        "parts": [report.to_json() for report in reports],
    }


def _without_layers(part: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name != "layers"}


def _write(folder: Path, content: Mapping[str, Any], reports: Sequence[PartReport]) -> None:
    from vlm_ros.build.validation.picture import draw_reports

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    draw_reports(reports, folder / "report.png")


def _show(reports: Sequence[PartReport], answers: Mapping[str, float]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("part", "precision", "MB", "MSE", "Pearson", "max abs", "cosine", "tokens", "answers", "")
    for report in reports:
        worst = report.worst
        table.add_row(
            report.part,
            report.precision,
            f"{report.size_bytes / 1e6:.2f}",
            f"{worst.mean_squared_error:.1e}",
            f"{worst.correlation:.5f}",
            f"{worst.max_absolute_error:.1e}",
            f"{worst.cosine:.5f}",
            "" if report.tokens is None else f"{report.tokens:.0%}",
            "" if report.tokens is None else f"{answers[report.precision]:.0%}",
            "passed" if report.passed else "[bold red]not used[/]",
        )
    console = Console()
    console.width = max(console.width, _TABLE_COLUMNS)  # rather broken by the terminal than figures cut off
    console.print(table)
    for report in reports:
        for fault in report.faults:
            console.print(f"{report.part} at {report.precision}: {fault}", style="red", markup=False, soft_wrap=True)
