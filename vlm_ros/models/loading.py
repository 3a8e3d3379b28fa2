"""From a bundle to a model that answers."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from vlm_ros.core.answer import Choices
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.families import JOINT, family_of
from vlm_ros.core.frame import Frame
from vlm_ros.core.onnx_files import DECODER, WITH_PAST
from vlm_ros.models.model import Model
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.paired import PairedRunner
from vlm_ros.runtime.runner import Runner


def load_model(
    bundle: Bundle,
    engines: Mapping[str, Path] = MappingProxyType({}),
    *,
    threads: int = 0,
    precision: str = "",
    cuda: bool = False,
) -> Model:
    """The model of ``bundle``, ready to observe.

    ``engines`` gives parts that were built for this device, by whichever runtime; the others run from the
    bundle's own ONNX files, at ``precision`` or, without one, at the most faithful that there is of each part.
    ``threads`` bounds the processor threads of each part (0: all physical cores); with ``cuda`` ONNX Runtime computes
    on an NVIDIA GPU. Raises ``BadBundle``,
    ``MissingEngine``, ``MissingLibrary`` or ``BuildFailed``.
    """
    parts = parts_of(bundle)
    if precision and not any(precision in bundle.precisions(part) for part in parts):
        there = sorted({name for part in parts for name in bundle.precisions(part)})
        raise BadBundle(f"'{bundle.folder}' has no part at {precision}: it has {', '.join(there) or 'none'}")
    files = {part: bundle.onnx(part, bundle.best_precision(part, precision)) for part in parts if part not in engines}
    chosen = {part: file for part, file in {**files, **engines}.items() if part in parts}
    runners = {part: runner_for(file, threads=threads, cuda=cuda) for part, file in chosen.items()}
    try:
        for runner in runners.values():
            runner.activate()
        return assemble(bundle, runners)
    except BaseException:
        for runner in runners.values():
            runner.deactivate()
        raise


def parts_of(bundle: Bundle) -> tuple[str, ...]:
    """The parts that ``bundle`` is run from: all that its family needs, and what it brings of the optional ones."""
    family = family_of(bundle.config, bundle.folder)
    if family.may_be_joint and JOINT in bundle.parts:
        return (JOINT,)
    return (*family.parts, *(part for part in (*family.optional_parts, WITH_PAST) if part in bundle.parts))


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> Model:
    """The model that active ``runners`` of the parts of ``bundle`` make up."""
    family = family_of(bundle.config, bundle.folder)
    module = importlib.import_module(f"vlm_ros.models.{family.module}")
    model: Model = module.assemble(bundle, _with_whole_decoder(runners))
    return model


def _with_whole_decoder(runners: Mapping[str, Runner]) -> Mapping[str, Runner]:
    """``runners``, a decoder that was exported in two graphs being one of them."""
    if WITH_PAST not in runners:
        return runners
    others = {part: runner for part, runner in runners.items() if part != WITH_PAST}
    return {**others, DECODER: PairedRunner(runners[DECODER], runners[WITH_PAST])}


def warm_up(model: Model) -> None:
    """Answer one question about a grey picture, so that the first real one does not pay for first times."""
    grey = np.full((64, 64, 3), 128, np.uint8)
    model.observe(Frame(grey)).ask("Is this grey?", Choices(("yes", "no")))
