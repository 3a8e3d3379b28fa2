"""``vlm_ros export``: a transformers checkpoint becomes a bundle that runs without torch."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.errors import BadConfig, require
from vlm_ros.export.exporting import INSTALL, OPSETS, export_bundle, recognised


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="a transformers checkpoint folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the bundle")
    joined = "MiniGPT-4: join a BLIP-2 CHECKPOINT with this Vicuna or Llama"
    parser.add_argument("--language-model", type=Path, metavar="DIR", help=joined)
    parser.add_argument("--projection", type=Path, metavar="FILE", help="MiniGPT-4: the .pth file that joins the two")
    parser.add_argument("--opset", type=int, choices=OPSETS, default=OPSETS[0], help="ONNX operator set")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Export the checkpoint and say how closely the graphs follow it."""
    with _checkpoint(arguments) as checkpoint, shown_progress() as report:
        print(f"recognised {recognised(checkpoint)}", file=sys.stderr)
        agreements = export_bundle(checkpoint, arguments.out, arguments.opset, report)
    if arguments.json:
        parts = {part: vars(agreement) for part, agreement in agreements.items()}
        print(json.dumps({"bundle": str(arguments.out), "opset": arguments.opset, "parts": parts}))
        return 0
    for part, agreement in agreements.items():
        print(f"{part}: largest error against the checkpoint {agreement.max_absolute_error:.1e}")
    print(f"bundle written to {arguments.out}")
    return 0


def _checkpoint(arguments: argparse.Namespace) -> AbstractContextManager[Path]:
    """The folder to export, which is made first where a MiniGPT-4 is to be joined."""
    parts = (arguments.language_model, arguments.projection)
    if parts == (None, None):
        return nullcontext(arguments.checkpoint)
    if None in parts:
        raise BadConfig("a MiniGPT-4 is joined of three: give both --language-model and --projection")
    for library in ("torch", "transformers"):
        require(library, INSTALL)
    from vlm_ros.export.minigpt4 import joined_checkpoint

    return joined_checkpoint(arguments.checkpoint, *parts, arguments.out)
