"""MiniCPM-V 4.6: a vision tower that gathers windows on its way, a merger, and a decoder-only text model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vlm_ros.export.checkpoint import load_checkpoint
from vlm_ros.export.greedy import check_picture_tokens
from vlm_ros.export.part import NamedTensors, Part, Sizes
from vlm_ros.export.patch_rows import PatchRowsEncoder, attend, numbered, through_layer
from vlm_ros.export.text_decoder import text_parts
from vlm_ros.runtime.runner import Runner

__all__ = ["check_answers", "load_checkpoint", "parts_of"]

_ONE_PICTURE = Sizes(batch=1, sequence=1, past=0)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), *text_parts(model)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about a picture; ``ExportFailed`` where they differ."""
    part = VisionEncoder(model)
    drawn = part.draw(_ONE_PICTURE)
    feeds = {name: tensor.numpy() for name, tensor in drawn.items()}
    features = runners["vision_encoder"].run(feeds)["image_features"]
    check_picture_tokens(model, runners, part.as_checkpoint_takes_it(drawn), features[0])


class VisionEncoder(PatchRowsEncoder):
    """The tower, whose patches become a sixteenth, or a fourth, on their way; windows are computed as positions are."""

    def __init__(self, model: Any) -> None:
        super().__init__(model.model.vision_tower)
        self.merger = model.model.merger
        self.gathers_at: int = self.tower.config.insert_layer_id if model.config.downsample_mode != "4x" else -1

    def as_checkpoint_takes_it(self, inputs: NamedTensors) -> NamedTensors:
        """The same pictures in the reference's order: (1, channels, side, side * patches of all)."""
        pixels, grid = inputs["pixel_values"], inputs["target_sizes"]
        cut = pixels.reshape(-1, 3, self.side, self.side).permute(1, 2, 0, 3)
        return {"pixel_values": cut.flatten(2)[None], "target_sizes": grid.expand(len(pixels), 2).int()}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        rows, columns = self.grid_of(inputs)
        states = self.embedded(inputs["pixel_values"], rows, columns)
        for number, layer in enumerate(self.tower.encoder.layers):
            states = through_layer(layer, states)
            if number == self.gathers_at:
                states = _gathered(self.tower.vit_merger, _in_fours(states, columns))
                columns = columns // 2
        states = self.tower.post_layernorm(states)
        for mlp in self.merger.mlp:
            states = mlp.linear_2(
                mlp.act(
                    mlp.linear_1(
                        mlp.pre_norm(_in_fours(states, columns).reshape(len(states), -1, 4 * states.shape[-1]))
                    )
                )
            )
            columns = columns // 2
        return {"image_features": states}


def _in_fours(states: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """``states`` (batch, patches, width), row by row, as (batch, patches / 4, 4, width): squares of two by two."""
    square = numbered(states).reshape(-1, 4)[:, 0] // 4
    wide = (columns // 2).clamp(min=1)
    first = square // wide * 2 * columns + square % wide * 2
    corners = torch.stack([first, first + 1, first + columns, first + columns + 1], dim=1)
    return states[:, corners]


def _gathered(merger: Any, fours: torch.Tensor) -> torch.Tensor:
    """Each square (batch, squares, 4, width) to one: its patches look at each other, then become one."""
    batch, width = fours.shape[0], fours.shape[-1]
    seen = attend(merger.self_attn, merger.layer_norm1(fours).reshape(-1, 4, width))
    fours = fours + seen.reshape(batch, -1, 4, width)
    hidden = merger.linear_1(merger.pre_norm(fours.reshape(batch, -1, 4 * width)))
    gathered: torch.Tensor = merger.linear_2(merger.act(hidden)) + fours.mean(dim=2)
    return gathered
