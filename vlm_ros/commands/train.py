"""``vlm_ros train``: render views, train the demo model, write its checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--out", type=Path, default=Path("engines/demo/checkpoint"), help="where the checkpoint goes")
    parser.add_argument("--work", type=Path, default=Path(".run/train"), help="rendered views and resumable state")
    parser.add_argument("--views", type=int, default=250_000, help="training views to render")
    parser.add_argument("--held-out-views", type=int, default=4_800, help="development views that choose the weights")
    parser.add_argument("--dense-steps", type=int, help="steps that train the vision tower alone")
    parser.add_argument("--steps", type=int, help="steps that train the whole model")
    parser.add_argument("--batch", type=int, help="views per step")
    parser.add_argument("--learning-rate", type=float, help="highest learning rate")
    parser.add_argument("--device", default="auto", help="auto, cpu or cuda")
    parser.add_argument("--processes", type=int, help="processes that render (default: one per core)")


def run(arguments: argparse.Namespace) -> int:
    """Train, or go on with a run that was cut short."""
    from vlm_ros.core.config import changed
    from vlm_ros.sim.seeds import DEVELOPMENT, TRAINING
    from vlm_ros.training.checkpoint import save_checkpoint
    from vlm_ros.training.fitting import Fitting, FittingConfig, device_from_name
    from vlm_ros.training.rendering import render_views
    from vlm_ros.training.tokenizer import make_tokenizer

    names = ("dense_steps", "steps", "batch", "learning_rate")
    given = {name: getattr(arguments, name) for name in names if getattr(arguments, name) is not None}
    config = changed(FittingConfig(), given, live_only=False)
    views = render_views(TRAINING, arguments.views, arguments.work / "views", arguments.processes)
    held_out = render_views(DEVELOPMENT, arguments.held_out_views, arguments.work / "held_out", arguments.processes)
    tokenizer = make_tokenizer()
    fitting = Fitting(config, tokenizer, device_from_name(arguments.device), arguments.work / "state.pt")
    save_checkpoint(fitting.fit(views, held_out), tokenizer, arguments.out)
    print(f"checkpoint written to {arguments.out}: export it with  vlm_ros export {arguments.out} --out engines/demo")
    return 0
