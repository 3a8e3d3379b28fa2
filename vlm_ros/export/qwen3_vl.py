"""Qwen3-VL: Qwen3.5's vision tower, of which the text model reads several depths.

The features of the last block stand in the prompt; those of earlier ones are added where the picture is, behind the
first layers of the text model (DeepStack). Here all depths go side by side through ``image_features`` and
``inputs_embeds``, which are so many times as wide as the text model is. What is added to a word is zeros.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch

from vlm_ros.export import qwen3_5, text_decoder
from vlm_ros.export.part import NamedTensors, Part
from vlm_ros.export.qwen2_vl import RowsDecoder, check_answers, load_checkpoint

__all__ = ["check_answers", "load_checkpoint", "parts_of"]


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    table, encoder = model.get_input_embeddings(), VisionEncoder(model)
    decoder = DeepDecoder(model.model.language_model, model.lm_head, table.embedding_dim, encoder.depths)
    return encoder, TokenEmbedding(table, encoder.depths), decoder


class VisionEncoder(qwen3_5.VisionEncoder):
    """As Qwen3.5's, with features (tokens, depths * width): the last block's, then those of earlier ones."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.earlier: list[int] = list(self.tower.deepstack_visual_indexes)

    @property
    def depths(self) -> int:
        """How many blocks the text model reads."""
        return 1 + len(self.earlier)

    def merged(self, after: Sequence[torch.Tensor]) -> torch.Tensor:
        mergers = zip(self.tower.deepstack_merger_list, self.earlier, strict=True)
        return torch.cat([super().merged(after), *(merger(after[block]) for merger, block in mergers)], dim=-1)


class TokenEmbedding(text_decoder.TokenEmbedding):
    """``input_ids`` (batch, sequence) to ``inputs_embeds`` (batch, sequence, depths * width): zeros behind the word."""

    def __init__(self, table: Any, depths: int) -> None:
        super().__init__(table)
        self.added: int = (depths - 1) * table.embedding_dim

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"inputs_embeds": torch.nn.functional.pad(super().forward(inputs)["inputs_embeds"], (0, self.added))}


class DeepDecoder(RowsDecoder):
    """As Qwen2-VL's, of ``inputs_embeds`` (batch, sequence, depths * width)."""

    def __init__(self, text: Any, head: torch.nn.Module, width: int, depths: int) -> None:
        # The reference picks the picture's tokens out by a mask; where all others get zeros it needs none.
        adding = copy.copy(text)
        adding._deepstack_process = lambda states, mask, features: states + features
        super().__init__(adding, head, width * depths)
        self.depths = depths

    def read(self, inputs: NamedTensors, cache: Any, **others: Any) -> torch.Tensor:
        first, *added = inputs["inputs_embeds"].chunk(self.depths, dim=-1)
        return super().read({**inputs, "inputs_embeds": first}, cache, deepstack_visual_embeds=added, **others)
