"""``vlm_ros build``: a model's graphs become what this device runs, kept for the next start."""

from __future__ import annotations

import argparse
import json

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.build.tensorrt.options import LEVELS, TensorRtOptions
from vlm_ros.build.vendors import ONNXRUNTIME, RUNTIMES, builder_for
from vlm_ros.commands.answering import add_gate_argument, add_portable_argument
from vlm_ros.commands.bounds import at_least
from vlm_ros.commands.pictures import add_picture_arguments
from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.bundle import AUTO, PRECISIONS, Bundle
from vlm_ros.core.places import find_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("bundle", nargs="?", default="", metavar="BUNDLE", help="name or folder of a model")
    parser.add_argument(
        "--precision",
        choices=(*PRECISIONS, AUTO),
        default="fp32",
        help="which of its ONNX files to build from; auto: for each part the fastest here that answers as fp32 does",
    )
    parser.add_argument("--runtime", choices=RUNTIMES, default=ONNXRUNTIME, help="what runs the engines")
    parser.add_argument(
        "--blocks", type=int, default=0, metavar="N", help="build decoders in N blocks of layers; 0: as memory allows"
    )
    batch = "TensorRT: engines that answer up to N questions at once, as vlm_ros ask --runtime tensorrt --batch N"
    parser.add_argument("--batch", type=int, default=1, metavar="N", help=batch)
    parser.add_argument(
        "--level", type=int, choices=LEVELS, default=3, help="TensorRT: 0 is built soonest, 5 runs fastest"
    )
    parser.add_argument(
        "--workspace-mb",
        type=int,
        default=0,
        metavar="MB",
        help="TensorRT: memory for kernels; 0: half of what is free",
    )
    add_portable_argument(parser, "build TensorRT's engines")
    add_gate_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")
    add_picture_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Build what the engine store lacks, and say where everything lies."""
    from vlm_ros.service.checking import answer_check

    at_least(1, "--batch", arguments.batch)
    at_least(0, "--workspace-mb", arguments.workspace_mb)
    bundle, store = Bundle(find_bundle(arguments.bundle)), EngineStore()
    chosen = _choose(bundle, store, arguments) if arguments.precision == AUTO else {}
    with shown_progress() as report:
        engines = build_bundle(
            bundle,
            store,
            precision=arguments.precision,
            builder=builder_for(arguments.runtime, bundle, _options(arguments)),
            blocks=arguments.blocks,
            ignore_gate=arguments.ignore_gate,
            check=answer_check(bundle, arguments.precision),
            on_progress=lambda progress: report(progress.message, progress.fraction),
        )
    if arguments.json:
        paths = {part: str(engine) for part, engine in engines.items()}
        choices = {"chosen": chosen} if chosen else {}
        print(json.dumps({"model": bundle.name, "precision": arguments.precision, "engines": paths, **choices}))
        return 0
    for part, engine in engines.items():
        print(f"{part}: {engine}")
        if part in chosen:
            print(f"  {chosen[part]['precision']}, {chosen[part]['reason']}")
    return 0


def _options(arguments: argparse.Namespace) -> TensorRtOptions:
    return TensorRtOptions(
        level=arguments.level,
        batch=arguments.batch,
        workspace_bytes=arguments.workspace_mb * 1_000_000 or None,
        portable=arguments.portable,
    )


def _choose(bundle: Bundle, store: EngineStore, arguments: argparse.Namespace) -> dict[str, dict[str, str]]:
    """The precision of each part, and why."""
    from vlm_ros.commands.choosing import choose_precisions

    with shown_progress() as report:
        choices = choose_precisions(
            bundle,
            store,
            arguments.images,
            arguments.pictures,
            report,
            runtime=arguments.runtime,
            options=_options(arguments),
        )
    return {part: {"precision": choice.precision, "reason": choice.reason} for part, choice in choices.items()}
