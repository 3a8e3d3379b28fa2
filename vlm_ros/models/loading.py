"""From a bundle to a model that answers."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel
from vlm_ros.models.model import Model
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner


@dataclass(frozen=True)
class Family:
    """The ONNX parts of a family, and how active runners of them become a model."""

    parts: tuple[str, ...]
    assemble: Callable[[Bundle, Mapping[str, Runner]], Model]


FAMILIES: Mapping[str, Family] = {"llava": Family(LLAVA_PARTS, LlavaModel)}
"""By ``model_type`` in ``config.json``."""


def load_model(bundle: Bundle, engines: Mapping[str, Path] | None = None, *, threads: int = 0) -> Model:
    """The model of ``bundle``, ready to observe.

    ``engines`` gives parts that were built for this device, by whichever runtime; the others run from the
    bundle's own ONNX files.
    ``threads`` bounds the processor threads of each part (0: all physical cores). Raises ``BadBundle``,
    ``MissingEngine``, ``MissingLibrary`` or ``BuildFailed``.
    """
    family = family_of(bundle)
    runners = {
        part: runner_for((engines or {}).get(part) or bundle.onnx(part), threads=threads) for part in family.parts
    }
    for runner in runners.values():
        runner.activate()
    return family.assemble(bundle, runners)


def warm_up(model: Model) -> None:
    """Answer one question about a grey picture, so that the first real one does not pay for first times."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    model.observe(Frame(grey)).ask("What is this?", FreeText(max_tokens=2))


def family_of(bundle: Bundle) -> Family:
    """The family that ``bundle`` says it belongs to; ``BadBundle`` where nobody knows it."""
    kind: Any = bundle.config.get("model_type")
    if kind in FAMILIES:
        return FAMILIES[kind]
    nearest = difflib.get_close_matches(str(kind), FAMILIES, n=1, cutoff=0.0)
    raise BadBundle(
        f"'{bundle.folder}' is a model of the type '{kind}', which is not supported; the nearest that is: {nearest[0]}"
    )
