"""A checkpoint's parts behind the contract of runners, so that all that runs a graph also runs the checkpoint."""

from __future__ import annotations

import importlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from vlm_ros.core.families import Family
from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes
from vlm_ros.runtime.runner import Array, Tensors, TensorSpec

_SIZES = (Sizes(1, 2, 3), Sizes(2, 3, 5))
"""Of what goes in and comes out, that which differs between these is dynamic."""


def checkpoint_runners(family: Family, checkpoint: Path) -> dict[str, PartRunner]:
    """A runner of every part of ``checkpoint``, in fp32 on the processor."""
    module = importlib.import_module(f"vlm_ros.export.{family.module}")
    return {part.name: PartRunner(part) for part in module.parts_of(module.load_checkpoint(checkpoint))}


class PartRunner:
    """Runs a torch module as the graph that it would be exported to; it is always active."""

    def __init__(self, part: Part) -> None:
        self._part = part
        drawn = [part.draw(sizes) for sizes in _SIZES]
        with torch.inference_mode():
            given = [part(inputs) for inputs in drawn]
        self._inputs = {name: _spec(name, drawn, part.axes[name]) for name in part.axes}
        self._outputs = {name: _spec(name, given, {}) for name in given[0]}

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """The part's inputs by name."""
        return self._inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """The part's outputs by name."""
        return self._outputs

    def activate(self) -> None:
        """The checkpoint is loaded."""

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> dict[str, Array]:
        """All outputs by name."""
        inputs: NamedTensors = {name: torch.from_numpy(np.ascontiguousarray(feeds[name])) for name in self._inputs}
        with torch.inference_mode():
            return {name: tensor.numpy() for name, tensor in self._part(inputs).items()}

    def deactivate(self) -> None:
        """The checkpoint goes with the last who holds it."""


def _spec(name: str, runs: Sequence[NamedTensors], axes: Axes) -> TensorSpec:
    first, second = (run[name] for run in runs)
    sizes = zip(first.shape, second.shape, strict=True)
    shape = tuple(
        size if size == other else axes.get(axis, f"{name}_{axis}") for axis, (size, other) in enumerate(sizes)
    )
    return TensorSpec(name, first.numpy().dtype, shape)
