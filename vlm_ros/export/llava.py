"""The LLaVA family: a vision tower, a projector, and a decoder-only text model (Llama, Phi3, Mistral, Qwen2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache, LlavaForConditionalGeneration

from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.greedy import check_tokens
from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes
from vlm_ros.runtime.runner import Runner


def load_checkpoint(folder: Path) -> LlavaForConditionalGeneration:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    model: LlavaForConditionalGeneration = load_pretrained(LlavaForConditionalGeneration, folder)
    return model


def parts_of(model: LlavaForConditionalGeneration) -> tuple[Part, ...]:
    """The three graphs of a LLaVA bundle."""
    return VisionEncoder(model), TokenEmbedding(model), Decoder(model)


def check_answers(model: LlavaForConditionalGeneration, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens of the active ``runners`` with the checkpoint's; ``ExportFailed`` where they differ."""
    check_tokens(model, runners)


class VisionEncoder(Part):
    """``pixel_values`` (batch, 3, height, width), normalised, to ``image_features`` (batch, tokens, width)."""

    name = "vision_encoder"

    def __init__(self, model: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.tower = model.model.vision_tower
        self.projector = model.model.multi_modal_projector
        config: Any = model.config.vision_config
        self.side_px = config.image_size
        layers = model.config.vision_feature_layer
        self.layers = [layers] if isinstance(layers, int) else list(layers)
        self.first_token = 1 if model.config.vision_feature_select_strategy == "default" else 0

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"pixel_values": {0: "batch"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {"pixel_values": torch.randn(sizes.batch, 3, self.side_px, self.side_px)}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        states = self.tower(inputs["pixel_values"], output_hidden_states=True).hidden_states
        chosen = torch.cat([states[layer][:, self.first_token :] for layer in self.layers], dim=-1)
        return {"image_features": self.projector(chosen)}


class TokenEmbedding(Part):
    """``input_ids`` (batch, sequence) to ``inputs_embeds`` (batch, sequence, width)."""

    name = "embed_tokens"

    def __init__(self, model: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.table: Any = model.get_input_embeddings()

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"input_ids": {0: "batch", 1: "sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {"input_ids": torch.randint(self.table.num_embeddings, (sizes.batch, sizes.sequence))}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"inputs_embeds": self.table(inputs["input_ids"])}


class Decoder(Part):
    """New embeddings and the cache so far to the logits of the last position and the cache from then on.

    One graph serves the prompt and every later step: an empty cache is a cache of length 0.
    """

    name = "decoder_model_merged"

    def __init__(self, model: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.text = model.model.language_model
        self.head = model.lm_head
        self.config: Any = model.config.text_config

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
        config, batch = self.config, sizes.batch
        mask = torch.ones(batch, sizes.past + sizes.sequence, dtype=torch.int64)
        for row in range(batch):
            mask[row, : min(row, sizes.past)] = 0
        inputs = {
            "inputs_embeds": torch.randn(batch, sizes.sequence, config.hidden_size),
            "attention_mask": mask,
            "position_ids": (mask.cumsum(dim=1) - 1)[:, sizes.past :],
        }
        head_width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        cached = (batch, config.num_key_value_heads, sizes.past, head_width)
        return inputs | {name: torch.randn(cached) for names in self.past_names for name in names}

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
