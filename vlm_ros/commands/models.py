"""``vlm_ros models``: what can run here, and where to get it."""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Iterable, Sequence

from vlm_ros.core.catalogue import BYTES_PER_WEIGHT, PublicModel, catalogue
from vlm_ros.core.families import FAMILIES
from vlm_ros.core.places import shipped_bundles

GET = (
    "Get one:  hf download NAME --local-dir FOLDER   then  vlm_ros export FOLDER --out BUNDLE,\n"
    "or, where it comes as ONNX, use the folder as it is:  vlm_ros ask IMAGE QUESTION --model FOLDER"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """List families, public models, and the bundles that are here."""
    models, bundles = catalogue(), shipped_bundles()
    if arguments.json:
        content = {
            "families": [dataclasses.asdict(family) for family in FAMILIES],
            "models": [_json_from_model(model) for model in models],
            "bundles": {name: str(folder) for name, folder in bundles.items()},
        }
        print(json.dumps(content))
        return 0
    _show(models, bundles)
    return 0


def _json_from_model(model: PublicModel) -> dict[str, object]:
    weights = {precision: round(model.weights_gb(precision), 2) for precision in BYTES_PER_WEIGHT}
    return {**dataclasses.asdict(model), "weights_gb": weights}


def _show(models: Sequence[PublicModel], bundles: Iterable[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    families = Table("family", "models", "tasks", "from checkpoints", title="Families", title_justify="left")
    for family in FAMILIES:
        families.add_row(family.module, family.title, ", ".join(family.tasks), "yes" if family.exportable else "no")
    public = Table(
        "name on the hub", "family", "weights in GB: " + " / ".join(BYTES_PER_WEIGHT), "licence", "comes as", "notes"
    )
    public.columns[0].overflow = "fold"  # a name that is cut cannot be fetched
    public.title, public.title_justify = "Public models", "left"
    for model in models:
        weights = " / ".join(f"{model.weights_gb(precision):.1f}" for precision in BYTES_PER_WEIGHT)
        comes_as = "ONNX" if model.ready else "checkpoint"
        public.add_row(model.source, model.family, weights, model.licence, comes_as, model.notes)
    console = Console()
    console.print(families, public)
    console.print(GET, markup=False, highlight=False)
    console.print("Here already: " + ", ".join(sorted(bundles)), markup=False, highlight=False)
