"""``vlm_ros match``: how well pictures and texts go together, by a model that compares."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.commands.answering import add_gate_argument, chosen_bundle, load_checked
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadQuestion


@dataclass(frozen=True)
class Match:
    """One picture and one text; ``probability`` 0..1 and ``cosine`` -1..1 as ``models.matching.Matcher`` says."""

    image: str
    text: str
    probability: float
    cosine: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("images", type=Path, nargs="+", metavar="IMAGE", help="image files")
    parser.add_argument("--text", nargs="+", required=True, metavar="T", help="texts to compare each image with")
    parser.add_argument("--model", required=True, metavar="BUNDLE", help="name or folder of a CLIP, or a BLIP to match")
    parser.add_argument(
        "--precision", default="", metavar="P", help="run the files of this precision (default: the most faithful)"
    )
    add_gate_argument(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object on one line")


def run(arguments: argparse.Namespace) -> int:
    """Compare all images with all texts and show the best pairs first."""
    bundle = chosen_bundle(arguments)
    matches = matches_of(
        bundle, arguments.precision, arguments.images, arguments.text, ignore_gate=arguments.ignore_gate
    )
    if arguments.json:
        content = {"model": bundle.name, "matches": [vars(match) for match in matches]}
        print(json.dumps(content, ensure_ascii=False))
    else:
        _show(matches, several_images=len(arguments.images) > 1)
    return 0


def matches_of(
    bundle: Bundle, precision: str, images: Sequence[Path], texts: Sequence[str], *, ignore_gate: bool = False
) -> list[Match]:
    """All pairs: the texts of each image by probability or, of a single text, the images by cosine."""
    from vlm_ros.models.matching import Matcher
    from vlm_ros.vision.loading import frame_from_file

    pictures = [frame_from_file(path).rgb for path in images]
    model, _ = load_checked(bundle, precision, ignore_gate=ignore_gate)
    try:
        if not isinstance(model, Matcher):
            raise BadQuestion(f"'{bundle.name}' speaks and does not compare: give a CLIP, or a BLIP for matching")
        chances, cosines = model.probabilities(pictures, texts), model.similarities(pictures, texts)
    finally:
        model.close()
    matches = [
        Match(str(path), text, round(float(chances[row, column]), 6), round(float(cosines[row, column]), 6))
        for row, path in enumerate(images)
        for column, text in enumerate(texts)
    ]
    if len(texts) == 1:
        return sorted(matches, key=lambda match: -match.cosine)
    order = {str(path): number for number, path in enumerate(images)}
    return sorted(matches, key=lambda match: (order[match.image], -match.probability))


def _show(matches: Sequence[Match], *, several_images: bool) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("probability", "cosine", "text", *(["image"] if several_images else []))
    for match in matches:
        names = [match.text, match.image] if several_images else [match.text]
        table.add_row(f"{match.probability:.3f}", f"{match.cosine:.3f}", *map(Text, names))
    Console().print(table)
