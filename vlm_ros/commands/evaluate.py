"""``vlm_ros evaluate``: how well and how safely the robot searches, follows and explores in simulated rooms."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.commands.bounds import at_least
from vlm_ros.commands.out_folder import make_out_folder
from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.errors import BadConfig

if TYPE_CHECKING:
    from vlm_ros.evaluation.metrics import EpisodeResult
    from vlm_ros.evaluation.report import Report
    from vlm_ros.evaluation.running import Runs
    from vlm_ros.navigation.navigator import Mode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--scenes", type=int, default=20, metavar="N", help="how many scenes (default: 20)")
    parser.add_argument("--seed", type=int, default=100_000, metavar="S", help="seed of the first (default: 100000)")
    parser.add_argument("--mode", default="search", choices=("search", "follow", "explore"), help="default: search")
    parser.add_argument("--rooms", type=int, default=1, choices=(1, 2), help="two are joined by a doorway (default: 1)")
    parser.add_argument("--target-absent", action="store_true", help="tell it to look for something that is not there")
    parser.add_argument("--policy", default="vlm", metavar="P", help="who looks: vlm, oracle or blind (default: vlm)")
    parser.add_argument("--model", metavar="BUNDLE", help="name or folder of a model (default: demo)")
    parser.add_argument(
        "--percept",
        choices=("question", "list", "both"),
        help="what the policy vlm goes by: its answer, its list of things, or both (default: question)",
    )
    parser.add_argument("--answers-per-second", type=float, default=5.0, metavar="R", help="default: 5")
    parser.add_argument("--no-odometry", dest="odometry", action="store_false", help="drive by dead reckoning alone")
    parser.add_argument("--scan", action="store_true", help="give the robot a laser scanner")
    parser.add_argument("--timeout", type=float, metavar="S", help="seconds a run may take, 1 to 3600")
    parser.add_argument("--out", type=Path, metavar="DIR", help="write a picture of every run, and a sheet, there")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="J", help="default: one per core")
    parser.add_argument("--json", action="store_true", help="end with one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Run the scenes and report."""
    from vlm_ros.evaluation.report import report_from_results

    began_s = monotonic_s()
    runs = _runs(arguments)
    if arguments.out is not None:
        make_out_folder(arguments.out)
    _warn_of_known_rooms(runs)
    results: list[EpisodeResult] = []
    try:
        _run_all(runs, arguments, results)
    except KeyboardInterrupt:
        print(f"vlm_ros: interrupted after {len(results)} of {runs.scenes} scenes", file=sys.stderr)
        _write_sheet(results, arguments.out)
        raise
    _write_sheet(results, arguments.out)
    report = report_from_results(arguments.policy, arguments.seed, results)
    per_minute = 60.0 * len(results) / (monotonic_s() - began_s)
    if arguments.json:
        print(json.dumps({**report.to_json(), "scenes_per_minute": round(per_minute, 1)}))
    else:
        print(f"{table_from_report(report)}\n{per_minute:.1f} scenes a minute")
    return 0


def table_from_report(report: Report) -> str:
    """The report as a Markdown table, one figure a line."""
    rows = [f"| {name.replace('_', ' ')} | {value} |" for name, value in report.to_json().items()]
    return "\n".join(["| what | figure |", "|---|---|", *rows])


def _warn_of_known_rooms(runs: Runs) -> None:
    """Say so where a model may have learnt the rooms by heart."""
    from vlm_ros.sim.seeds import TRAINING

    if runs.policy == "vlm" and runs.seed in TRAINING:
        print(
            f"vlm_ros: --seed is {runs.seed}: the demo model was trained on rooms below {TRAINING.end}: "
            f"those from {TRAINING.end} on are new to it",
            file=sys.stderr,
        )


def _run_all(runs: Runs, arguments: argparse.Namespace, results: list[EpisodeResult]) -> None:
    """Append each result to ``results`` once its picture is kept: what is finished outlives an interrupt."""
    from vlm_ros.evaluation.picture import picture_of_run
    from vlm_ros.evaluation.running import run_scenes

    with shown_progress() as report:
        for result in run_scenes(runs, arguments.jobs):
            if arguments.out is not None:
                picture_of_run(runs.scene(result.seed), result).save(_picture(arguments.out, result))
            results.append(result)
            report(f"scene {result.seed}: {'success' if result.success else 'failure'}", len(results) / runs.scenes)


def _runs(arguments: argparse.Namespace) -> Runs:
    from vlm_ros.core.places import find_bundle
    from vlm_ros.evaluation.episode import MOST_ANSWERS_PER_S, EpisodeConfig
    from vlm_ros.evaluation.running import Runs
    from vlm_ros.evaluation.witness import Witness
    from vlm_ros.navigation.navigator import Mode
    from vlm_ros.sim.layout import layout_from_rooms

    at_least(1, "--jobs", arguments.jobs)
    _check_model_options(arguments)
    mode, answers_per_s = Mode(arguments.mode), arguments.answers_per_second
    if not 0.0 < answers_per_s <= MOST_ANSWERS_PER_S:
        raise BadConfig(
            f"--answers-per-second is {answers_per_s:g}: give more than 0 and at most {MOST_ANSWERS_PER_S:g}"
        )
    episode = EpisodeConfig(
        mode=mode,
        answers_per_s=answers_per_s,
        timeout_s=_timeout_s(arguments, mode),
        odometry=arguments.odometry,
        scan=arguments.scan,
    )
    return Runs(
        policy=arguments.policy,
        scenes=arguments.scenes,
        seed=arguments.seed,
        episode=episode,
        bundle=find_bundle(arguments.model or "") if arguments.policy == "vlm" else None,
        layout=layout_from_rooms(arguments.rooms),
        target_absent=arguments.target_absent,
        witness=Witness(arguments.percept or "question"),
    )


def _check_model_options(arguments: argparse.Namespace) -> None:
    """``BadConfig`` where a policy that asks no model is given what only a model has."""
    for option, given in (("--model", arguments.model), ("--percept", arguments.percept)):
        if given and arguments.policy != "vlm":
            raise BadConfig(f"{option} is for the policy 'vlm': leave '{given}' out with '{arguments.policy}'")


def _timeout_s(arguments: argparse.Namespace, mode: Mode) -> float:
    """How long a run may take; ``BadConfig`` names what was typed where no search can be given that."""
    from vlm_ros.evaluation.episode import default_timeout_s
    from vlm_ros.navigation.search import LONGEST_SEARCH_S, SHORTEST_SEARCH_S

    timeout_s: float | None = arguments.timeout
    allowed = f"{SHORTEST_SEARCH_S:g} to {LONGEST_SEARCH_S:g} seconds"
    if timeout_s is None:
        answers_per_s = arguments.answers_per_second
        timeout_s = default_timeout_s(mode, arguments.rooms, answers_per_s)
        if timeout_s > LONGEST_SEARCH_S:
            raise BadConfig(
                f"--answers-per-second is {answers_per_s:g}, which makes a search last {timeout_s:g} seconds: "
                f"give more, or a --timeout of {allowed}"
            )
    elif not SHORTEST_SEARCH_S <= timeout_s <= LONGEST_SEARCH_S:
        raise BadConfig(f"--timeout is {timeout_s:g}: give {allowed}")
    return timeout_s


def _write_sheet(results: list[EpisodeResult], folder: Path | None) -> None:
    """The pictures of up to eight runs on one page, those that went wrong first."""
    from PIL import Image

    from vlm_ros.evaluation.sheet import sheet_of

    if folder is None or not results:
        return
    worst = sorted(results, key=lambda result: result.success and not result.touches)[:8]
    sheet_of([Image.open(_picture(folder, result)) for result in worst]).save(folder / "sheet.jpg", quality=88)


def _picture(folder: Path, result: EpisodeResult) -> Path:
    return folder / f"{result.seed}.png"
