"""``vlm_ros build``: a model's graphs become what this device runs, kept for the next start."""

from __future__ import annotations

import argparse
import json

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.bundle import PRECISIONS, Bundle
from vlm_ros.core.places import find_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE", help="name or folder of a model")
    parser.add_argument("--precision", choices=PRECISIONS, default="fp32", help="which of its ONNX files to build from")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Build what the engine store lacks, and say where everything lies."""
    bundle = Bundle(find_bundle(arguments.bundle))
    with shown_progress() as report:
        engines = build_bundle(
            bundle,
            EngineStore(),
            precision=arguments.precision,
            on_progress=lambda progress: report(progress.message, progress.fraction),
        )
    if arguments.json:
        paths = {part: str(engine) for part, engine in engines.items()}
        print(json.dumps({"model": bundle.name, "precision": arguments.precision, "engines": paths}))
        return 0
    for part, engine in engines.items():
        print(f"{part}: {engine}")
    return 0
