"""Qwen2-VL and Qwen2.5-VL: a vision tower over patches of pictures of any shape, and a Qwen2 with three positions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers.models.qwen2_vl.modeling_qwen2_vl import apply_rotary_pos_emb_vision

from vlm_ros.export.checkpoint import load_checkpoint
from vlm_ros.export.greedy import checkpoint_tokens, compare_tokens, exported_tokens, random_prompt
from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes
from vlm_ros.export.text_decoder import TextDecoder, text_parts
from vlm_ros.runtime.runner import Runner

__all__ = ["check_answers", "load_checkpoint", "parts_of"]

_ONE_PICTURE = Sizes(batch=1, sequence=1, past=0)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), *text_parts(model, RowsDecoder)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about a picture; ``ExportFailed`` where they differ."""
    picture = VisionEncoder(model).draw(_ONE_PICTURE)
    feeds = {name: tensor.numpy() for name, tensor in picture.items()}
    features = runners["vision_encoder"].run(feeds)["image_features"]
    prompt = random_prompt(model, len(features))
    kinds = (prompt == model.config.image_token_id).int()
    expected = checkpoint_tokens(
        model, prompt, picture["pixel_values"], image_grid_thw=picture["grid_thw"], mm_token_type_ids=kinds
    )
    positions, _ = model.model.get_rope_index(prompt, kinds, picture["grid_thw"])
    exported = exported_tokens(runners, prompt.numpy(), features[None], model.config.image_token_id, positions.numpy())
    compare_tokens(exported, expected)


class RowsDecoder(TextDecoder):
    """A decoder whose positions have rows for time, height and width: ``position_ids`` (3, batch, sequence)."""

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {**super().axes, "position_ids": {1: "batch", 2: "sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        drawn = super().draw(sizes)
        counted = drawn["position_ids"]
        return drawn | {"position_ids": torch.stack([counted, counted + 1, 2 * counted])}


class VisionEncoder(Part):
    """``pixel_values`` (patches, values) of all pictures and ``grid_thw`` (pictures, 3) to ``image_features``.

    The reference cuts the row of patches into pictures and windows and looks at each alone; here a mask says which
    patches see each other, so that one graph serves pictures of any shape.
    """

    name = "vision_encoder"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower = model.model.visual
        config = self.tower.config
        self.merge: int = config.spatial_merge_size
        self.values: int = config.in_channels * config.temporal_patch_size * config.patch_size**2
        self.window: int = getattr(config, "window_size", 0) // config.patch_size
        self.wide_layers = set(getattr(config, "fullatt_block_indexes", range(config.depth)))

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"pixel_values": {0: "patch_sequence"}, "grid_thw": {0: "batch"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Each picture two blocks wider than the one before."""
        rows, columns = 3 * self.merge, 4 * self.merge
        grid = torch.tensor([[1, rows, columns + 2 * number * self.merge] for number in range(sizes.batch)])
        return {"pixel_values": torch.randn(int(grid.prod(dim=1).sum()), self.values), "grid_thw": grid}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        states = self.tower.patch_embed(inputs["pixel_values"])
        picture, row, column = self._places(inputs["grid_thw"], len(states))
        states = self.placed(states, inputs["grid_thw"][picture // len(states), 1:], row, column)
        turns = self.tower.rotary_pos_emb(states, torch.stack([row, column], dim=-1))
        whole = picture[:, None] == picture[None]
        windows = whole & _same(row // max(1, self.window)) & _same(column // max(1, self.window))
        after: list[torch.Tensor] = []
        for number, block in enumerate(self.tower.blocks):
            sees = whole if number in self.wide_layers else windows
            states = states + _attend(block.attn, block.norm1(states), turns, sees)
            states = states + block.mlp(block.norm2(states))
            after.append(states)
        return {"image_features": self.merged(after)}

    def merged(self, after: Sequence[torch.Tensor]) -> torch.Tensor:
        """What the text model reads of a picture whose states (patches, width) are those ``after`` each block."""
        features: torch.Tensor = self.tower.merger(after[-1])
        return features

    def placed(
        self, states: torch.Tensor, shapes: torch.Tensor, row: torch.Tensor, column: torch.Tensor
    ) -> torch.Tensor:
        """``states`` (patches, width) with what is learnt of their places in pictures of ``shapes``: here nothing."""
        return states

    def _places(self, grid: torch.Tensor, patches: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Which frame of which picture each patch is of, and its row and column there.

        A grid of zeros, which builders of engines try, must not divide by zero or lead out of a table.
        """
        sizes = grid[:, 0] * grid[:, 1] * grid[:, 2]
        ends = sizes.cumsum(0)
        number = torch.arange(patches)
        picture = (number[:, None] >= ends[None]).sum(dim=1).clamp(max=len(grid) - 1)
        number = number - (ends - sizes)[picture]
        area = (grid[:, 1] * grid[:, 2]).clamp(min=1)[picture]
        blocks_wide, merge = (grid[:, 2] // self.merge).clamp(min=1)[picture], self.merge
        frame, number = number // area, number % area
        block, inner = number // merge**2, number % merge**2
        row, column = block // blocks_wide * merge + inner // merge, block % blocks_wide * merge + inner % merge
        return picture * patches + frame, row, column


def _same(places: torch.Tensor) -> torch.Tensor:
    return places[:, None] == places[None]


def _attend(attention: Any, states: torch.Tensor, turns: tuple[torch.Tensor, ...], sees: torch.Tensor) -> torch.Tensor:
    """The reference's attention of ``states`` (patches, width) among those that ``sees`` allows."""
    query, key, value = attention.qkv(states).reshape(len(states), 3, attention.num_heads, -1).unbind(1)
    query, key = apply_rotary_pos_emb_vision(query, key, *turns)
    heads = [tensor.transpose(0, 1)[None] for tensor in (query, key, value)]
    seen = torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=sees, scale=attention.scaling)
    mixed: torch.Tensor = attention.proj(seen[0].transpose(0, 1).flatten(1))
    return mixed
