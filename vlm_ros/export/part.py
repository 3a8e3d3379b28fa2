"""One graph of a bundle while it is still a torch module."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch

NamedTensors = dict[str, torch.Tensor]

Axes = Mapping[int, str]
"""Which dimensions of a tensor are dynamic, by the name of their size."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a step: pictures or prompts at once, new tokens of each, tokens of each in the cache."""

    batch: int
    sequence: int
    past: int


EXAMPLE_SIZES = Sizes(batch=2, sequence=3, past=5)
"""All different and none of them 1, so that the exporter takes no size for a constant or for another one."""


class Part(torch.nn.Module):
    """A module from named tensors to named tensors, which knows what goes into it.

    It is traced with inputs of ``example_sizes``, and checked with ``more_sizes`` beside those of all parts.
    """

    name: str
    example_sizes: Sizes = EXAMPLE_SIZES
    more_sizes: tuple[Sizes, ...] = ()

    @property
    @abstractmethod
    def axes(self) -> Mapping[str, Axes]:
        """The dynamic dimensions of every input, in the order the graph has its inputs."""

    @abstractmethod
    def draw(self, sizes: Sizes) -> NamedTensors:
        """Random inputs of ``sizes``, of the kind that the graph meets in use."""

    @abstractmethod
    def forward(self, inputs: NamedTensors) -> NamedTensors:
        """The part's outputs, in the order the graph has them."""


class PicturePart(Part):
    """A part that takes ``pixel_values`` (batch, 3, ``side_px``, ``side_px``), normalised, and nothing else."""

    side_px: int

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"pixel_values": {0: "batch"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {"pixel_values": torch.randn(sizes.batch, 3, self.side_px, self.side_px)}
