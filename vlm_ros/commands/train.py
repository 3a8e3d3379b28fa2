"""``vlm_ros train``: render views, train the demo model, export it, and report how well it sees."""

from __future__ import annotations

import argparse
import json
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, default=Path("engines/demo"), help="the bundle; its checkpoint goes inside")
    parser.add_argument("--work", type=Path, default=Path(".run/train"), help="rendered views and resumable state")
    parser.add_argument("--start", type=Path, help="a checkpoint to begin with, instead of random weights")
    parser.add_argument("--views", type=int, default=250_000, help="training views to render")
    parser.add_argument("--plain-views", action="store_true", help="open rooms and clean pictures only")
    parser.add_argument("--held-out-views", type=int, default=4_800, help="development views that choose the weights")
    parser.add_argument("--dense-steps", type=int, help="steps that train the vision tower alone")
    parser.add_argument("--steps", type=int, help="steps that train the whole model")
    parser.add_argument("--batch", type=int, help="views per step")
    parser.add_argument("--targets", type=int, help="things asked for in each view")
    parser.add_argument("--warm-up-steps", type=int, help="steps over which the learning rate rises")
    parser.add_argument("--measure-every", type=int, help="steps between two looks at the views held out")
    parser.add_argument("--learning-rate", type=float, help="highest learning rate")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--processes", type=int, help="processes that render (default: one per core)")
    parser.add_argument("--report-views", type=int, default=2_400, help="unseen views of the report")
    parser.add_argument("--report-only", action="store_true", help="measure the bundle in --out, train nothing")
    parser.add_argument("--vary-camera", action="store_true", help="report on cameras of any height, pitch and angle")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Train, or go on with a run that was cut short; then report on scenes that nobody tunes on."""
    if not arguments.report_only:
        _train(arguments)
    _report(arguments)
    return 0


def _train(arguments: argparse.Namespace) -> None:
    from vlm_ros.core.config import changed
    from vlm_ros.export.exporting import export_bundle
    from vlm_ros.sim.seeds import DEVELOPMENT, TRAINING
    from vlm_ros.training.checkpoint import save_checkpoint
    from vlm_ros.training.fitting import Fitting, FittingConfig, device_from_name
    from vlm_ros.training.rendering import render_views
    from vlm_ros.training.tokenizer import make_tokenizer

    names = ("dense_steps", "steps", "batch", "targets", "warm_up_steps", "measure_every", "learning_rate")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    config = changed(FittingConfig(), given, live_only=False)
    processes, varied = arguments.processes, not arguments.plain_views
    views = render_views(TRAINING, arguments.views, arguments.work / "views", processes, varied=varied)
    held_out = render_views(
        DEVELOPMENT, arguments.held_out_views, arguments.work / "held_out", processes, varied=varied
    )
    tokenizer = make_tokenizer()
    device, state = device_from_name(arguments.device), arguments.work / "state.pt"
    fitting = Fitting(config, tokenizer, device, state, arguments.start)
    checkpoint = arguments.out / "checkpoint"
    save_checkpoint(fitting.fit(views, held_out), tokenizer, checkpoint)
    export_bundle(checkpoint, arguments.out)


def _report(arguments: argparse.Namespace) -> None:
    from vlm_ros.core.bundle import Bundle
    from vlm_ros.sim.seeds import TEST
    from vlm_ros.sim.views import VIEWS_PER_SCENE, draw_views
    from vlm_ros.training.report import measure

    first = TEST.seed(50_000)
    seeds = range(first, first + -(-arguments.report_views // VIEWS_PER_SCENE))
    views = draw_views(seeds, vary_camera=arguments.vary_camera)
    report = measure(Bundle(arguments.out), views, total=len(seeds) * VIEWS_PER_SCENE)
    print(json.dumps(report.figures()) if arguments.json else report.table())
