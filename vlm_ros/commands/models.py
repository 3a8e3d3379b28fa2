"""``vlm_ros models``: what can run here, and where to get it."""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from vlm_ros.build.run_preflight import about_run_bytes, run_peak_bytes
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.catalogue import BYTES_PER_WEIGHT, PublicModel, catalogue
from vlm_ros.core.errors import VlmRosError
from vlm_ros.core.families import FAMILIES, Family, family_named
from vlm_ros.core.places import shipped_bundles

MEMORY = (
    "Memory is about what a processor takes to load the ONNX files, fp16 being cast to fp32 there; the cache of a long "
    "context comes on top. What a bundle takes with it is asked before it is loaded."
)

GET = """Get one:
    hf download NAME --local-dir FOLDER
    vlm_ros export FOLDER --out BUNDLE
or, where it comes as ONNX, use FOLDER as it is:
    vlm_ros ask IMAGE QUESTION --model FOLDER
The files of a bundle and their checksums are in its checksums.json:
    vlm_ros bundle verify BUNDLE"""

_INDENT = "    "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """List families, public models, and the bundles that are here."""
    models, bundles = catalogue(), shipped_bundles()
    here = {name: _memory_of(folder) for name, folder in bundles.items()}
    if arguments.json:
        content = {
            "families": [dataclasses.asdict(family) for family in FAMILIES],
            "models": [_json_from_model(model) for model in models],
            "bundles": {name: str(folder) for name, folder in bundles.items()},
            "bundles_memory_gb": here,
        }
        print(json.dumps(content))
        return 0
    _show(models, here)
    return 0


def _json_from_model(model: PublicModel) -> dict[str, object]:
    weights = {precision: round(model.weights_gb(precision), 2) for precision in BYTES_PER_WEIGHT}
    return {**dataclasses.asdict(model), "weights_gb": weights, "memory_gb": _about_memory(model)}


def _about_memory(model: PublicModel) -> dict[str, float]:
    """Gigabytes by precision, without a cache."""
    parts = len(family_named(model.family).parts)
    needed = {name: about_run_bytes(model.weights_gb(name) * 1e9, name, parts) for name in BYTES_PER_WEIGHT}
    return {precision: round(size / 1e9, 2) for precision, size in needed.items()}


def _memory_of(folder: Path) -> dict[str, float]:
    """Gigabytes that the bundle in ``folder`` takes, cache included, at each precision that all its parts have.

    Empty where it cannot be read, or nothing could run it: whoever tries is told why.
    """
    try:
        from vlm_ros.models.loading import parts_of  # brings ONNX Runtime with it

        bundle = Bundle(folder)
        parts = parts_of(bundle)
        precisions = [name for name in bundle.precisions(parts[0]) if all(name in bundle.precisions(p) for p in parts)]
        files = {name: {part: (bundle.onnx(part, name), name) for part in parts} for name in precisions}
        return {name: round(run_peak_bytes(bundle, graphs) / 1e9, 2) for name, graphs in files.items()}
    except VlmRosError:
        return {}


def _show(models: Sequence[PublicModel], here: Mapping[str, Mapping[str, float]]) -> None:
    """A paragraph for each, whose names are never broken: they are there to be copied."""
    print("Families\n")
    for family in FAMILIES:
        _paragraph(family.module, [family.title, _uses(family), f"parts: {', '.join(family.parts)}"])
    print("Public models, by their names on the Hugging Face hub\n")
    for model in models:
        _paragraph(model.source, _facts(model))
    _paragraph("Here already", [f"{name}: {_figures(memory)} GB of memory, about" for name, memory in here.items()])
    print(textwrap.fill(MEMORY, _columns()), GET, sep="\n\n")


def _uses(family: Family) -> str:
    return ", ".join(family.tasks) + ("" if family.exportable else "; from ONNX files only")


def _facts(model: PublicModel) -> list[str]:
    weights = {precision: model.weights_gb(precision) for precision in BYTES_PER_WEIGHT}
    return [
        f"{model.family}; comes as {'ONNX' if model.ready else 'checkpoint'}; licence: {model.licence}",
        f"GB of weights:       {_figures(weights)}",
        f"GB of memory, about: {_figures(_about_memory(model))}",
        *filter(None, [model.notes]),
    ]


def _figures(sizes_gb: Mapping[str, float]) -> str:
    return "  ".join(f"{precision} {size:4.1f}" for precision, size in sizes_gb.items())


def _paragraph(title: str, lines: Sequence[str]) -> None:
    print(title)
    for line in lines:
        print(
            textwrap.fill(line, _columns(), initial_indent=_INDENT, subsequent_indent=_INDENT, break_long_words=False)
        )
    print()


def _columns() -> int:
    return shutil.get_terminal_size().columns
