"""MiniCPM-V: a vision tower that gathers windows on its way, a merger, and a decoder-only text model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

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
    part = VisionEncoder(model)
    drawn = part.draw(_ONE_PICTURE)
    feeds = {name: tensor.numpy() for name, tensor in drawn.items()}
    features = runners["vision_encoder"].run(feeds)["image_features"]
    check_picture_tokens(model, runners, part.as_checkpoint_takes_it(drawn), features[0])


class VisionEncoder(Part):
    """``pixel_values`` (batch, patches, values), ``target_sizes`` (1, 2) to ``image_features`` (batch, tokens, width).

    All pictures of a batch have ``target_sizes`` rows and columns of patches. The reference searches the nearest
    learnt position of each patch and the window that it is in; here both are computed in the graph, which holds
    no resizing and serves every shape.
    """

    name = "vision_encoder"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.merger = model.model.vision_tower, model.model.merger
        config = self.tower.config
        self.side: int = config.patch_size
        self.gathers_at: int = config.insert_layer_id if model.config.downsample_mode != "4x" else -1
        self.positions_wide: int = self.tower.embeddings.num_patches_per_side
        step = 1 / self.positions_wide
        self.register_buffer("boundaries", torch.arange(step, 1.0, step))

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"pixel_values": {0: "batch", 1: "patch_sequence"}, "target_sizes": {}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Pictures as many blocks wide as there are new tokens, within reason, for other shapes at other sizes."""
        grid = torch.tensor([[8, 4 * (1 + sizes.sequence % 4)]])
        return {"pixel_values": torch.randn(sizes.batch, int(grid.prod()), 3 * self.side**2), "target_sizes": grid}

    def as_checkpoint_takes_it(self, inputs: NamedTensors) -> NamedTensors:
        """The same pictures in the reference's order: (1, channels, side, side * patches of all)."""
        pixels, grid = inputs["pixel_values"], inputs["target_sizes"]
        cut = pixels.reshape(-1, 3, self.side, self.side).permute(1, 2, 0, 3)
        return {"pixel_values": cut.flatten(2)[None], "target_sizes": grid.expand(len(pixels), 2).int()}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        # A grid of zeros, which builders of engines try, must not divide by zero.
        rows, columns = inputs["target_sizes"][0].clamp(min=1).unbind()
        states = self._embedded(inputs["pixel_values"], rows, columns)
        for number, layer in enumerate(self.tower.encoder.layers):
            states = states + _attend(layer.self_attn, layer.layer_norm1(states))
            states = states + layer.mlp(layer.layer_norm2(states))
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

    def _embedded(self, pixels: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Patches as the convolution sees them, with the learnt position that is nearest to each."""
        convolution = self.tower.embeddings.patch_embedding
        patches = torch.nn.functional.linear(pixels, convolution.weight.flatten(1), convolution.bias)
        number = _numbered(pixels)
        row, column = self._nearest(number // columns, rows), self._nearest(number % columns, columns)
        positions: torch.Tensor = self.tower.embeddings.position_embedding(row * self.positions_wide + column)
        return patches + positions

    def _nearest(self, place: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        return (place.float()[:, None] / places.float() >= self.boundaries[None]).sum(dim=1)


def _numbered(states: torch.Tensor) -> torch.Tensor:
    """0, 1, 2, ... for each patch of (batch, patches, width), counted so that builders of engines follow the size."""
    return torch.ones_like(states[0, :, 0]).cumsum(0).long() - 1


def _in_fours(states: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """``states`` (batch, patches, width), row by row, as (batch, patches / 4, 4, width): squares of two by two."""
    square = _numbered(states).reshape(-1, 4)[:, 0] // 4
    wide = (columns // 2).clamp(min=1)
    first = square // wide * 2 * columns + square % wide * 2
    corners = torch.stack([first, first + 1, first + columns, first + columns + 1], dim=1)
    return states[:, corners]


def _gathered(merger: Any, fours: torch.Tensor) -> torch.Tensor:
    """Each square (batch, squares, 4, width) to one: its patches look at each other, then become one."""
    batch, width = fours.shape[0], fours.shape[-1]
    seen = _attend(merger.self_attn, merger.layer_norm1(fours).reshape(-1, 4, width))
    fours = fours + seen.reshape(batch, -1, 4, width)
    hidden = merger.linear_1(merger.pre_norm(fours.reshape(batch, -1, 4 * width)))
    gathered: torch.Tensor = merger.linear_2(merger.act(hidden)) + fours.mean(dim=2)
    return gathered


def _attend(attention: Any, states: torch.Tensor) -> torch.Tensor:
    """The reference's attention of ``states`` (batch, patches, width) among all of a picture."""
    query, key, value = (
        project(states).unflatten(-1, (attention.num_heads, attention.head_dim)).transpose(1, 2)
        for project in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    seen = scaled_dot_product_attention(query, key, value, scale=attention.scaling)
    mixed: torch.Tensor = attention.out_proj(seen.transpose(1, 2).flatten(2))
    return mixed
