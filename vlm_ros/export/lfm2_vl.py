"""LFM2-VL: a vision tower over patches of pictures of any shape, a projector that gathers blocks, and an LFM2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from vlm_ros.export.checkpoint import load_checkpoint
from vlm_ros.export.greedy import check_picture_tokens
from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes
from vlm_ros.export.text_decoder import text_parts
from vlm_ros.runtime.runner import Runner

__all__ = ["check_answers", "load_checkpoint", "parts_of"]

_ONE_PICTURE = Sizes(batch=1, sequence=1, past=0)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), *text_parts(model)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about a picture; ``ExportFailed`` where they differ."""
    drawn = VisionEncoder(model).draw(_ONE_PICTURE)
    features = runners["vision_encoder"].run({name: tensor.numpy() for name, tensor in drawn.items()})["image_features"]
    mask = torch.ones(drawn["pixel_values"].shape[:2], dtype=torch.int64)
    check_picture_tokens(model, runners, {**drawn, "pixel_attention_mask": mask}, features[0])


class VisionEncoder(Part):
    """``pixel_values`` (batch, patches, values), ``spatial_shapes`` (batch, 2) to ``image_features``.

    These are (batch, tokens, width). Each picture has its own rows and columns of patches, and all of a batch have as
    many patches, so that none are filled up and no mask hides any. The reference resizes its table of learnt positions
    to each picture; here each patch takes its share of the table's rows, so that the graph holds no resizing.
    """

    name = "vision_encoder"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.projector = model.model.vision_tower, model.model.multi_modal_projector
        embeddings = self.tower.embeddings
        self.values: int = embeddings.patch_embedding.in_features
        self.positions_wide: int = embeddings.position_embedding_size
        self.factor: int = model.config.downsample_factor

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"pixel_values": {0: "batch", 1: "patch_sequence"}, "spatial_shapes": {0: "batch"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Every second picture stands upright; they are larger where there are more new tokens, within reason."""
        lying = torch.tensor([2, 3 + sizes.sequence % 4]) * self.factor
        shapes = torch.stack([lying.flip(0) if number % 2 else lying for number in range(sizes.batch)])
        return {"pixel_values": torch.randn(sizes.batch, int(lying.prod()), self.values), "spatial_shapes": shapes}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        pixels = inputs["pixel_values"]
        # A grid of zeros, which builders of engines try, must not divide by zero.
        rows, columns = inputs["spatial_shapes"].clamp(min=1)[:, :, None].unbind(1)
        number = torch.ones_like(pixels[:, :, 0]).cumsum(1).long() - 1
        row = _shares(number // columns, rows, self.positions_wide)
        column = _shares(number % columns, columns, self.positions_wide)
        table = self.tower.embeddings.position_embedding.weight
        positions = (row[..., :, None] * column[..., None, :]).flatten(2) @ table
        states = self.tower.embeddings.patch_embedding(pixels) + positions
        states = self.tower.post_layernorm(self.tower.encoder(inputs_embeds=states).last_hidden_state)
        return {"image_features": self._projected(self._in_blocks(states, number, columns))}

    def _in_blocks(self, states: torch.Tensor, number: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """``states`` (batch, patches, width), row by row, as (batch, blocks, patches of a block * width)."""
        batch, patches, factor = len(states), states.shape[1], self.factor
        block = number.unflatten(1, (-1, factor**2))[:, :, 0] // factor**2
        wide = (columns // factor).clamp(min=1)
        first = block // wide * factor * columns + block % wide * factor
        inner = torch.arange(factor)
        corners = first[:, :, None] + (inner[:, None] * columns[:, :, None, None] + inner).flatten(2)
        before = (torch.ones_like(columns).cumsum(0) - 1) * patches
        chosen = states.flatten(0, 1)[(corners.flatten(1) + before).flatten()]
        return chosen.reshape(batch, -1, factor**2 * states.shape[2])

    def _projected(self, blocks: torch.Tensor) -> torch.Tensor:
        projector = self.projector
        normed = projector.layer_norm(blocks) if projector.use_layer_norm else blocks
        features: torch.Tensor = projector.linear_2(projector.act(projector.linear_1(normed)))
        return features


def _shares(place: torch.Tensor, places: torch.Tensor, side: int) -> torch.Tensor:
    """How much of each of ``side`` learnt positions goes into ``place`` (batch, patches) of ``places`` (batch, 1).

    That is a triangle as wide as its neighbours are away, or as a learnt position where these are wider apart.
    """
    scale = side / places.float()
    reach = scale.clamp(min=1.0)
    center = scale * (place.float() + 0.5)
    away = (torch.arange(side) + 0.5 - center[..., None]) / reach[..., None]
    share = (1.0 - away.abs()).clamp(min=0.0)
    # Places that do not exist, of which builders of engines try some, must not divide by zero.
    return share / share.sum(dim=-1, keepdim=True).clamp(min=1e-6)
