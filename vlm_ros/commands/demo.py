"""``vlm_ros demo``: a simulated robot with the real nodes, driven to what it is told to find."""

from __future__ import annotations

import argparse
from pathlib import Path

from vlm_ros.core.places import find_bundle


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.description = (
        "Start the nodes as on a robot, in a simulated room, and let them drive. Ends with the result as one line "
        "of JSON on standard output, and leaves trajectory.png, contact_sheet.png, demo.mp4, result.json and logs "
        "in a folder. Status: 0 for success, 1 for a drive without, 2 for an error."
    )
    parser.add_argument("--target", default="", metavar="NAME", help="for example 'red ball' (default: the room's own)")
    parser.add_argument("--seed", type=int, default=7, metavar="N", help="which room (default: 7)")
    parser.add_argument("--mode", choices=("search", "follow", "explore"), default="search", help="default: search")
    parser.add_argument("--headless", action="store_true", help="plain lines instead of a live view")
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: demo_out/ and the time, in this folder")
    parser.add_argument("--model", default="", metavar="BUNDLE", help="name or folder of a model (default: demo)")
    parser.add_argument(
        "--time-limit", type=float, metavar="S", help="default: 120 for search, 60 for follow and explore"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the demo."""
    from vlm_ros.demo.options import TIME_LIMITS_S, DemoOptions, fresh_folder
    from vlm_ros.navigation.navigator import Mode

    mode = Mode(arguments.mode)
    options = DemoOptions(
        seed=arguments.seed,
        target=arguments.target,
        mode=mode,
        headless=arguments.headless,
        out=arguments.out or fresh_folder(),
        model=find_bundle(arguments.model),
        time_limit_s=TIME_LIMITS_S[mode] if arguments.time_limit is None else arguments.time_limit,
    )
    from vlm_ros.demo.show import run_demo

    return run_demo(options)
