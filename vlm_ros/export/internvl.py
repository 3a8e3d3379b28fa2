"""InternVL3 and InternVL3.5: an InternViT over square tiles, a projector that gathers blocks, and a Qwen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from vlm_ros.export import llava
from vlm_ros.export.checkpoint import load_checkpoint
from vlm_ros.export.greedy import check_picture_tokens
from vlm_ros.export.part import Part, Sizes
from vlm_ros.export.text_decoder import text_parts
from vlm_ros.runtime.runner import Runner

__all__ = ["check_answers", "load_checkpoint", "parts_of"]

_TILES = Sizes(batch=2, sequence=1, past=0)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), *text_parts(model)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about a picture of two tiles; ``ExportFailed`` where they differ."""
    pixels = VisionEncoder(model).draw(_TILES)["pixel_values"]
    features = runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
    check_picture_tokens(model, runners, {"pixel_values": pixels}, features.reshape(-1, features.shape[-1]))


class VisionEncoder(llava.VisionEncoder):
    """``pixel_values`` (batch, 3, side, side), normalised tiles, to ``image_features`` (batch, tokens, width)."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.side_px = self.tower.config.image_size[0]
        self.factor = round(1 / model.config.downsample_ratio)

    def chosen(self, tower_output: Any) -> torch.Tensor:
        """As LLaVA's, in blocks; the last layer is what follows the tower's norm, where it has one."""
        last = tower_output.last_hidden_state[:, self.first_token :]
        return self._in_blocks(last if self.layers == [-1] else super().chosen(tower_output))

    def _in_blocks(self, states: torch.Tensor) -> torch.Tensor:
        """``states`` (batch, patches, width), row by row, as (batch, blocks, patches of a block * width)."""
        side, factor = math.isqrt(states.shape[1]), self.factor
        apart = states.unflatten(1, (side // factor, factor, side // factor, factor))
        return apart.transpose(2, 3).flatten(3).flatten(1, 2)
