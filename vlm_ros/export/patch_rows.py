"""Vision towers over rows of patches: SigLIP for pictures of any shape, as MiniCPM-V has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import linear, scaled_dot_product_attention

from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes


class PatchRowsEncoder(Part):
    """``pixel_values`` (batch, patches, values), ``target_sizes`` (1, 2) to ``image_features`` (batch, tokens, width).

    All pictures of a batch have ``target_sizes`` rows and columns of patches. The reference searches the nearest
    learnt position of each patch; here it is computed in the graph, which holds no resizing and serves every shape.
    """

    name = "vision_encoder"

    def __init__(self, tower: Any) -> None:
        super().__init__()
        self.tower = tower
        self.side: int = tower.config.patch_size
        self.positions_wide: int = tower.embeddings.num_patches_per_side
        step = 1 / self.positions_wide
        self.register_buffer("boundaries", torch.arange(step, 1.0, step))

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"pixel_values": {0: "batch", 1: "patch_sequence"}, "target_sizes": {}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Pictures as many blocks wide as there are new tokens, within reason, for other shapes at other sizes."""
        grid = torch.tensor([[8, 4 * (1 + sizes.sequence % 4)]])
        return {"pixel_values": torch.randn(sizes.batch, int(grid.prod()), 3 * self.side**2), "target_sizes": grid}

    def grid_of(self, inputs: NamedTensors) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and columns; a grid of zeros, which builders of engines try, must not divide by zero."""
        rows, columns = inputs["target_sizes"][0].clamp(min=1).unbind()
        return rows, columns

    def embedded(self, pixels: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Patches as the convolution sees them, with the learnt position that is nearest to each."""
        convolution = self.tower.embeddings.patch_embedding
        patches = linear(pixels, convolution.weight.flatten(1), convolution.bias)
        number = numbered(pixels)
        row, column = self.nearest(number // columns, rows), self.nearest(number % columns, columns)
        positions: torch.Tensor = self.tower.embeddings.position_embedding(row * self.positions_wide + column)
        return patches + positions

    def nearest(self, place: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Which of the learnt positions along one side each ``place`` (patches,) of so many ``places`` gets."""
        return (place.float()[:, None] / places.float() >= self.boundaries[None]).sum(dim=1)


def numbered(states: torch.Tensor) -> torch.Tensor:
    """0, 1, 2, ... for each patch of (batch, patches, width), counted so that builders of engines follow the size."""
    return torch.ones_like(states[0, :, 0]).cumsum(0).long() - 1


def through_layer(layer: Any, states: torch.Tensor) -> torch.Tensor:
    """``states`` (batch, patches, width) behind a layer of the tower."""
    states = states + attend(layer.self_attn, layer.layer_norm1(states))
    behind: torch.Tensor = states + layer.mlp(layer.layer_norm2(states))
    return behind


def attend(attention: Any, states: torch.Tensor) -> torch.Tensor:
    """The reference's attention of ``states`` (batch, patches, width) among all of a picture."""
    query, key, value = (
        project(states).unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    seen = scaled_dot_product_attention(query, key, value)
    mixed: torch.Tensor = attention.out_proj(seen.transpose(1, 2).flatten(2))
    return mixed
