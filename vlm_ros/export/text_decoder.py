"""What decoder-only text models have in common: an embedding table, and a decoder with a cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from transformers import DynamicCache

from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes


class TokenEmbedding(Part):
    """``input_ids`` (batch, sequence) to ``inputs_embeds`` (batch, sequence, width)."""

    name = "embed_tokens"

    def __init__(self, table: Any) -> None:
        super().__init__()
        self.table = table

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"input_ids": {0: "batch", 1: "sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {"input_ids": torch.randint(self.table.num_embeddings, (sizes.batch, sizes.sequence))}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"inputs_embeds": self.table(inputs["input_ids"])}


class TextDecoder(Part):
    """New embeddings and the cache so far to the logits of the last position and the cache from then on.

    One graph serves the prompt and every later step: an empty cache is a cache of length 0. ``text`` is the
    transformers model below ``head``, ``width`` the length of an embedding.
    """

    name = "decoder_model_merged"

    def __init__(self, text: torch.nn.Module, head: torch.nn.Module, width: int) -> None:
        super().__init__()
        self.text = text
        self.head = head
        self.width = width
        self.config: Any = text.config

    @property
    def past_names(self) -> list[tuple[str, str]]:
        """Layer by layer the names of the cached keys and values that go in."""
        layers = range(self.config.num_hidden_layers)
        return [(f"past_key_values.{layer}.key", f"past_key_values.{layer}.value") for layer in layers]

    @property
    def axes(self) -> Mapping[str, Axes]:
        tokens = {0: "batch", 1: "sequence"}
        axes = {"inputs_embeds": tokens, "attention_mask": {0: "batch", 1: "total"}, "position_ids": tokens}
        return axes | {name: {0: "batch", 2: "past"} for names in self.past_names for name in names}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Row ``i`` of the batch has its first ``i`` cached tokens masked, as left padding leaves them."""
        batch = sizes.batch
        mask = torch.ones(batch, sizes.past + sizes.sequence, dtype=torch.int64)
        for row in range(batch):
            mask[row, : min(row, sizes.past)] = 0
        inputs = {
            "inputs_embeds": torch.randn(batch, sizes.sequence, self.width),
            "attention_mask": mask,
            "position_ids": (mask.cumsum(dim=1) - 1)[:, sizes.past :],
        }
        cached = (batch, self._cached_heads, sizes.past, self._head_width)
        return inputs | {name: torch.randn(cached) for names in self.past_names for name in names}

    @property
    def _cached_heads(self) -> int:
        heads: int = getattr(self.config, "num_key_value_heads", None) or self.config.num_attention_heads
        return heads

    @property
    def _head_width(self) -> int:
        width: int = getattr(self.config, "head_dim", None) or (
            self.config.hidden_size // self.config.num_attention_heads
        )
        return width

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        result = self.text(
            inputs_embeds=inputs["inputs_embeds"],
            attention_mask=inputs["attention_mask"],
            position_ids=inputs["position_ids"],
            past_key_values=DynamicCache([(inputs[key], inputs[value]) for key, value in self.past_names]),
            use_cache=True,
        )
        outputs = {"logits": self.head(result.last_hidden_state[:, -1:])}
        for number, layer in enumerate(result.past_key_values.layers):
            outputs[f"present.{number}.key"] = layer.keys
            outputs[f"present.{number}.value"] = layer.values
        return outputs
