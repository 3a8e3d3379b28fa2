"""From a bundle to a model that answers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from vlm_ros.core.answer import Choices
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.families import family_of
from vlm_ros.core.frame import Frame
from vlm_ros.models.model import Model
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner


def load_model(bundle: Bundle, engines: Mapping[str, Path] | None = None, *, threads: int = 0) -> Model:
    """The model of ``bundle``, ready to observe.

    ``engines`` gives parts that were built for this device, by whichever runtime; the others run from the
    bundle's own ONNX files.
    ``threads`` bounds the processor threads of each part (0: all physical cores). Raises ``BadBundle``,
    ``MissingEngine``, ``MissingLibrary`` or ``BuildFailed``.
    """
    runners = {
        part: runner_for((engines or {}).get(part) or bundle.onnx(part), threads=threads) for part in parts_of(bundle)
    }
    for runner in runners.values():
        runner.activate()
    return assemble(bundle, runners)


def parts_of(bundle: Bundle) -> tuple[str, ...]:
    """The parts that ``bundle`` is run from: all that its family needs, and what it brings of the optional ones."""
    family = family_of(bundle.config, bundle.folder)
    return (*family.parts, *(part for part in family.optional_parts if part in bundle.parts))


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> Model:
    """The model that active ``runners`` of the parts of ``bundle`` make up."""
    family = family_of(bundle.config, bundle.folder)
    model: Model = importlib.import_module(f"vlm_ros.models.{family.module}").assemble(bundle, runners)
    return model


def warm_up(model: Model) -> None:
    """Answer one question about a grey picture, so that the first real one does not pay for first times."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    model.observe(Frame(grey)).ask("Is this grey?", Choices(("yes", "no")))
