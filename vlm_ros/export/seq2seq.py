"""Text models of the T5 kind in three graphs: encoder, keys and values of its tokens, decoder with a cache."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from transformers import DynamicCache, EncoderDecoderCache

from vlm_ros.core.agreement import Array
from vlm_ros.export.cross_attention import CrossAttentionKv, cross_names, encoder_mask
from vlm_ros.export.greedy import CHECKED_TOKENS
from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes
from vlm_ros.runtime.kv_cache import ENCODER_MASK, KvLayout
from vlm_ros.runtime.runner import Runner

START = 0
"""T5 begins every answer with its padding token."""


def seq2seq_parts(model: Any) -> tuple[Part, ...]:
    """The graphs of a transformers ``T5ForConditionalGeneration``, its embedding table left out."""
    # The exporter cannot take torch's fused attention apart where a position bias is added to it.
    model.set_attn_implementation("eager")
    attentions = [block.layer[1].EncDecAttention for block in model.decoder.block]
    cross = CrossAttentionKv([(attention.k, attention.v) for attention in attentions], model.config.num_heads)
    return Encoder(model), cross, Seq2SeqDecoder(model)


def seq2seq_tokens(runners: Mapping[str, Runner], prompt: Array, features: Array, image_token: int) -> list[int]:
    """32 greedy tokens of the exported parts from ``prompt`` (1, sequence) and ``features`` (1, tokens, width)."""
    embed, decoder = runners["embed_tokens"], runners["decoder_model_merged"]
    embeds = embed.run({"input_ids": prompt})["inputs_embeds"].copy()
    embeds[prompt == image_token] = features[0]
    encoded = runners["encoder_model"].run({"inputs_embeds": embeds, "attention_mask": np.ones_like(prompt)})
    fixed = runners["cross_attention_kv"].run({"encoder_hidden_states": encoded["last_hidden_state"]})
    layout = KvLayout.from_runner(decoder)
    cache = layout.empty({**fixed, ENCODER_MASK: np.ones_like(prompt)})
    tokens = [START]
    while len(tokens) <= CHECKED_TOKENS:
        embeds = embed.run({"input_ids": np.array([tokens[-1:]])})["inputs_embeds"]
        mask = np.ones((1, cache.tokens + 1), np.int64)
        outputs = decoder.run({"inputs_embeds": embeds, "attention_mask": mask, **cache.feeds})
        cache = layout.next(cache, outputs, 1)
        tokens.append(int(outputs["logits"][0, -1].argmax()))
    return tokens[1:]


class Encoder(Part):
    """``inputs_embeds`` and ``attention_mask`` to ``last_hidden_state`` (batch, encoder_sequence, width)."""

    name = "encoder_model"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.encoder = model.encoder
        self.width = model.config.d_model

    @property
    def axes(self) -> Mapping[str, Axes]:
        return dict.fromkeys(("inputs_embeds", "attention_mask"), {0: "batch", 1: "encoder_sequence"})

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Row ``i`` of the batch ends ``i`` tokens early."""
        mask = encoder_mask(sizes.batch, sizes.sequence + sizes.batch)
        return {"inputs_embeds": torch.randn(*mask.shape, self.width), "attention_mask": mask}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"last_hidden_state": self.encoder(**inputs).last_hidden_state}


class Seq2SeqDecoder(Part):
    """New embeddings, the cache so far and the encoder's keys and values to logits and the cache from then on."""

    name = "decoder_model_merged"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.decoder = model.decoder
        self.head = model.lm_head
        self.config = model.config
        self.scale = model.config.d_model**-0.5 if model.config.scale_decoder_outputs else 1.0

    @property
    def past_names(self) -> list[tuple[str, str]]:
        """Layer by layer the names of the cached keys and values that go in."""
        layers = range(self.config.num_decoder_layers)
        return [(f"past_key_values.{layer}.key", f"past_key_values.{layer}.value") for layer in layers]

    @property
    def cross_names(self) -> list[tuple[str, str]]:
        """The same of the encoder's keys and values."""
        return cross_names(self.config.num_decoder_layers)

    @property
    def axes(self) -> Mapping[str, Axes]:
        axes: dict[str, Axes] = {
            "inputs_embeds": {0: "batch", 1: "sequence"},
            "attention_mask": {0: "batch", 1: "total"},
        }
        axes[ENCODER_MASK] = {0: "batch", 1: "encoder_sequence"}
        axes.update({name: {0: "batch", 2: "past"} for names in self.past_names for name in names})
        return axes | {name: {0: "batch", 2: "encoder_sequence"} for names in self.cross_names for name in names}

    def draw(self, sizes: Sizes) -> NamedTensors:
        heads, head_width, read = self.config.num_heads, self.config.d_kv, sizes.sequence + sizes.batch + 8
        inputs = {
            "inputs_embeds": torch.randn(sizes.batch, sizes.sequence, self.config.d_model),
            "attention_mask": torch.ones(sizes.batch, sizes.past + sizes.sequence, dtype=torch.int64),
            ENCODER_MASK: encoder_mask(sizes.batch, read),
        }
        for layers, tokens in ((self.past_names, sizes.past), (self.cross_names, read)):
            for names in layers:
                inputs.update({name: torch.randn(sizes.batch, heads, tokens, head_width) for name in names})
        return inputs

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        both = EncoderDecoderCache(
            *(
                DynamicCache([(inputs[key], inputs[value]) for key, value in layers])
                for layers in (self.past_names, self.cross_names)
            )
        )
        both.is_updated = dict.fromkeys(both.is_updated, True)
        result = self.decoder(
            inputs_embeds=inputs["inputs_embeds"],
            attention_mask=inputs["attention_mask"],
            # Only its length counts: what it becomes is in the cache already.
            encoder_hidden_states=inputs["cross_key_values.0.key"][:, 0],
            encoder_attention_mask=inputs[ENCODER_MASK],
            past_key_values=both,
            use_cache=True,
        )
        outputs = {"logits": self.head(result.last_hidden_state[:, -1:] * self.scale)}
        for number, layer in enumerate(both.self_attention_cache.layers):
            outputs[f"present.{number}.key"] = layer.keys
            outputs[f"present.{number}.value"] = layer.values
        return outputs
