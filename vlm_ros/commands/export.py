"""``vlm_ros export``: a transformers checkpoint becomes a bundle that runs without torch."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from vlm_ros.commands.progress import shown_progress
from vlm_ros.export.exporting import OPSETS, export_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a transformers checkpoint folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the bundle")
    parser.add_argument("--opset", type=int, choices=OPSETS, default=OPSETS[0], help="ONNX operator set")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Export the checkpoint and say how closely the graphs follow it."""
    with shown_progress() as report:
        agreements = export_bundle(arguments.checkpoint, arguments.out, arguments.opset, report)
    if arguments.json:
        parts = {part: vars(agreement) for part, agreement in agreements.items()}
        print(json.dumps({"bundle": str(arguments.out), "opset": arguments.opset, "parts": parts}))
        return 0
    for part, agreement in agreements.items():
        print(f"{part}: largest error against the checkpoint {agreement.max_absolute_error:.1e}")
    print(f"bundle written to {arguments.out}")
    return 0
