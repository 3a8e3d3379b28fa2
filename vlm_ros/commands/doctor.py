"""``vlm_ros doctor``: what this machine has, what does not fit together, and the line that mends it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Sequence

from vlm_ros.diagnosis.diagnosing import diagnose
from vlm_ros.diagnosis.finding import Finding, Level
from vlm_ros.diagnosis.machine import this_machine

BROKEN = 1
_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.BROKEN: "bold red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Look at everything; status 1 where something is broken."""
    findings = diagnose(this_machine())
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    if arguments.json:
        plain = [{**dataclasses.asdict(finding), "level": finding.level.value} for finding in findings]
        print(json.dumps({**{level.value: count for level, count in counts.items()}, "findings": plain}))
    else:
        _show(findings)
        print(f"\n{counts[Level.BROKEN]} broken, {counts[Level.WARNING]} to look at, {counts[Level.OK]} fine")
    return BROKEN if counts[Level.BROKEN] else 0


def _show(findings: Sequence[Finding]) -> None:
    """A line for each finding, and under it, never broken into two, the one that mends it."""
    from rich.console import Console
    from rich.text import Text

    console = Console(soft_wrap=True, highlight=False)
    for finding in findings:
        level = Text(f"{finding.level.value:<9}", _STYLES[finding.level])
        console.print(level + Text(f"{finding.name:<20}{finding.value}"))
        if finding.advice:
            console.print(Text(f"{'':29}-> {finding.advice}", "bold"))
