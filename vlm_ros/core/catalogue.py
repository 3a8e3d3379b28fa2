"""Public models that run here: where a user gets them, how large they are, and under which licence."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_ros.core.errors import BadConfig
from vlm_ros.core.families import FAMILIES
from vlm_ros.core.places import share_folders

BYTES_PER_WEIGHT = {"fp32": 4.0, "fp16": 2.0, "int8": 1.0, "q4": 0.5 + 4 / 32}
"""INT4 keeps one fp32 scale for each block of 32 weights."""


@dataclass(frozen=True)
class PublicModel:
    """``source`` is its name on the Hugging Face hub.

    ``family`` is a module of ``core.families``. ``ready`` says whether the hub holds it as ONNX, or as a checkpoint
    for ``vlm_ros export``. ``parameters`` are in millions. ``notes`` says what a user should know first.
    """

    source: str
    family: str
    parameters: int
    licence: str
    ready: bool = False
    notes: str = ""

    def weights_gb(self, precision: str) -> float:
        """Gigabytes of the weights alone; cache and activations come on top."""
        return self.parameters * 1e6 * BYTES_PER_WEIGHT[precision] / 1e9


def catalogue(folders: Sequence[Path] = ()) -> tuple[PublicModel, ...]:
    """The models of the cards under ``config/models``, by source; ``BadConfig`` names a card that makes no sense."""
    places = folders or [share / "config" / "models" for share in share_folders()]
    cards = {path.name: path for place in reversed(places) for path in place.glob("*.json")}
    return tuple(sorted((_model_from_card(path) for path in cards.values()), key=lambda model: model.source))


def _model_from_card(path: Path) -> PublicModel:
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
        model = PublicModel(**content)
    except (OSError, ValueError, TypeError) as error:
        known = ", ".join(field.name for field in dataclasses.fields(PublicModel))
        raise BadConfig(f"'{path}' is not a model's card ({error}): known are {known}") from error
    families = [family.module for family in FAMILIES]
    if model.family not in families:
        raise BadConfig(f"'{path}' names the family '{model.family}': known are {', '.join(families)}")
    return model
