"""``vlm_ros bench``: how fast a model answers here, against transformers on the same weights in the same run."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.build.store import EngineStore
from vlm_ros.commands.bounds import at_least
from vlm_ros.commands.choosing import checked_precisions, choose_precisions
from vlm_ros.commands.out_folder import make_out_folder
from vlm_ros.commands.progress import shown_progress
from vlm_ros.core.bundle import AUTO, PRECISIONS
from vlm_ros.core.places import engine_folder, find_bundle

if TYPE_CHECKING:
    from vlm_ros.benchmark.report import Report


_PICTURES = 2
"""Simulated rooms on which ``auto`` is chosen."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", metavar="BUNDLE", help="name or folder of a model to measure")
    model.add_argument(
        "--parameters", type=float, default=200e6, metavar="N", help="size of a model made of random weights (200e6)"
    )
    parser.add_argument(
        "--precision",
        default="fp32,int8,quantized,q4",
        metavar="P,P",
        help="which to measure (fp32,int8,quantized,q4); auto: the mix that passes and is fastest here",
    )
    parser.add_argument(
        "--provider",
        choices=("cpu", "cuda"),
        default="cpu",
        help="what computes, in both: the processor or a GPU (cpu)",
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="processor threads (1)")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="answers to measure (5)")
    parser.add_argument("--tokens", type=int, default=32, metavar="N", help="tokens in each (32)")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where the made model is kept")
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder for bench.json, bench.csv and bench.png")
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Measure, then show and keep the figures."""
    from vlm_ros.benchmark.benchmarking import Effort, run_benchmark
    from vlm_ros.benchmark.material import make_material, material_from_bundle

    precisions = checked_precisions(arguments.precision, (*PRECISIONS, AUTO))
    for least, name in ((1, "threads"), (1, "rounds"), (3, "tokens"), (1, "parameters")):
        at_least(least, f"--{name}", getattr(arguments, name))
    effort = Effort(arguments.threads, arguments.rounds, arguments.tokens, cuda=_wants_cuda(arguments))
    cache = arguments.cache or engine_folder().parent / "bench"
    out = arguments.out or cache / "report"
    make_out_folder(out)
    store = EngineStore(cache / "engines")
    with shown_progress() as report:
        if arguments.model is None:
            material = make_material(cache, arguments.parameters, precisions, report)
        else:
            material = material_from_bundle(find_bundle(arguments.model))
        if AUTO in precisions:
            choose_precisions(material.bundle, store, None, _PICTURES, report)
        measured = run_benchmark(material, precisions, store, effort, report)
    _keep(measured, out)
    if arguments.json:
        print(json.dumps(measured.to_json()))
    else:
        _show(measured, out)
    return 0


def _wants_cuda(arguments: argparse.Namespace) -> bool:
    """Whether a GPU shall compute; ``MissingLibrary`` where this ONNX Runtime cannot use one."""
    if arguments.provider != "cuda":
        return False
    from vlm_ros.runtime.onnxruntime.library import CUDA_PROVIDERS, check_providers

    check_providers(CUDA_PROVIDERS)
    return True


def _keep(report: Report, folder: Path) -> None:
    from vlm_ros.benchmark.plot import draw_report
    from vlm_ros.benchmark.report import write_csv, write_json

    write_json(report, folder / "bench.json")
    write_csv(report, folder / "bench.csv")
    draw_report(report, folder / "bench.png")


def _show(report: Report, folder: Path) -> None:
    from rich.console import Console

    from vlm_ros.benchmark.table import state_text, table_of

    console = Console(highlight=False)
    console.print(state_text(report), table_of(report), *report.notes, sep="\n", markup=False)
    console.print(f"kept in {folder}", markup=False, soft_wrap=True)
