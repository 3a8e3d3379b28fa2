"""What decoder-only text models have in common: an embedding table, and a decoder with a cache."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import torch
from transformers import Cache

from vlm_ros.export.delta_net import with_delta_nets
from vlm_ros.export.delta_rule import CHUNK_TOKENS
from vlm_ros.export.layer_cache import layer_caches_of
from vlm_ros.export.part import EXAMPLE_SIZES, Axes, NamedTensors, Part, Sizes


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

    One graph serves the prompt and every later step: an empty cache has keys and values of length 0, and states of
    zeros (see ``layer_cache``). ``text`` is the transformers model below ``head``, ``width`` the length of an
    embedding.
    """

    name = "decoder_model_merged"

    def __init__(self, text: torch.nn.Module, head: torch.nn.Module, width: int) -> None:
        super().__init__()
        self.text = with_delta_nets(text)
        self.head = head
        self.width = width
        self.config: Any = text.config
        self.caches = layer_caches_of(self.config)
        if self.text is not text:
            # More than two chunks of a delta net, so that the exporter takes no number of chunks for a constant.
            self.example_sizes = dataclasses.replace(EXAMPLE_SIZES, sequence=2 * CHUNK_TOKENS + 3)
            self.more_sizes = (Sizes(2, CHUNK_TOKENS + 1, 3),)

    @property
    def axes(self) -> Mapping[str, Axes]:
        tokens = {0: "batch", 1: "sequence"}
        axes = {"inputs_embeds": tokens, "attention_mask": {0: "batch", 1: "total"}, "position_ids": tokens}
        return axes | {name: kept for cache in self.caches for name, kept in cache.axes.items()}

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
        return inputs | {name: tensor for cache in self.caches for name, tensor in cache.draw(sizes).items()}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        cache = self.opened_cache(inputs)
        states = self.read(inputs, cache)
        return {"logits": self.head(states[:, -1:]), **self.present(cache)}

    def read(self, inputs: NamedTensors, cache: Any, **others: Any) -> torch.Tensor:
        """The states (batch, sequence, width) behind the last layer; ``cache`` holds what was read before, and this."""
        result = self.text(
            inputs_embeds=inputs["inputs_embeds"],
            attention_mask=inputs["attention_mask"],
            position_ids=inputs["position_ids"],
            past_key_values=cache,
            use_cache=True,
            **others,
        )
        states: torch.Tensor = result.last_hidden_state
        return states

    def opened_cache(self, inputs: NamedTensors) -> Any:
        """A transformers cache that holds what of ``inputs`` is cached."""
        return Cache(layers=[cache.opened(inputs) for cache in self.caches])

    def present(self, cache: Any) -> NamedTensors:
        """What ``cache``, opened before, holds now, by the names of outputs."""
        layers = zip(self.caches, cache.layers, strict=True)
        return {name: tensor for kept, layer in layers for name, tensor in kept.present(layer).items()}


def text_parts(model: Any, decoder: type[TextDecoder] = TextDecoder) -> tuple[TokenEmbedding, TextDecoder]:
    """The embedding table and the ``decoder`` of a ``model`` that reads pictures in its prompt."""
    table = model.get_input_embeddings()
    made = decoder(model.model.language_model, model.lm_head, table.embedding_dim)
    return TokenEmbedding(table), made
