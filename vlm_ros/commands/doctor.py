"""``vlm_ros doctor``: what this machine has, what does not fit together, and the line that mends it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence

from vlm_ros.diagnosis.diagnosing import diagnose
from vlm_ros.diagnosis.finding import Finding, Level
from vlm_ros.diagnosis.machine import this_machine
from vlm_ros.diagnosis.probes import PATIENCE_S

BROKEN = 1
_COLORS = {Level.OK: 32, Level.WARNING: 33, Level.BROKEN: 31}
"""As terminals count them: green, yellow, red. No library is used that may be what is missing."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Look at everything; status 1 where something is broken."""
    findings = diagnose(this_machine(_say_waiting))
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    if arguments.json:
        plain = [{**dataclasses.asdict(finding), "level": finding.level.value} for finding in findings]
        print(json.dumps({**{level.value: count for level, count in counts.items()}, "findings": plain}))
    else:
        _show(findings)
        print(f"\n{counts[Level.BROKEN]} broken, {counts[Level.WARNING]} to look at, {counts[Level.OK]} fine")
    return BROKEN if counts[Level.BROKEN] else 0


def _say_waiting(probes: Sequence[str], waited_s: float) -> None:
    print(f"asked for {waited_s:.0f} s of at most {PATIENCE_S:.0f}: {', '.join(probes)}", file=sys.stderr)


def _show(findings: Sequence[Finding]) -> None:
    """A line for each finding, and under it, never broken into two, the one that mends it."""
    for finding in findings:
        level = f"{finding.level.value:<9}"
        if sys.stdout.isatty():
            level = f"\033[{_COLORS[finding.level]}m{level}\033[0m"
        print(f"{level}{finding.name:<20}{finding.value}")
        if finding.advice:
            print(f"{'':29}-> {finding.advice}")
