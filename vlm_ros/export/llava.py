"""The LLaVA family: a vision tower, a projector, and a decoder-only text model (Llama, Phi3, Mistral, Qwen2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import LlavaForConditionalGeneration

from vlm_ros.core.errors import BadBundle
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.greedy import check_tokens
from vlm_ros.export.part import NamedTensors, Part, PicturePart
from vlm_ros.export.text_decoder import text_parts
from vlm_ros.runtime.runner import Runner


def load_checkpoint(folder: Path) -> LlavaForConditionalGeneration:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    model: LlavaForConditionalGeneration = load_pretrained(LlavaForConditionalGeneration, folder)
    return model


def parts_of(model: LlavaForConditionalGeneration) -> tuple[Part, ...]:
    """The three graphs of a LLaVA bundle."""
    return VisionEncoder(model), *text_parts(model)


def check_answers(model: LlavaForConditionalGeneration, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens of the active ``runners`` with the checkpoint's; ``ExportFailed`` where they differ."""
    check_tokens(model, runners)


class VisionEncoder(PicturePart):
    """``pixel_values`` (batch, 3, height, width), normalised, to ``image_features`` (batch, tokens, width)."""

    name = "vision_encoder"

    def __init__(self, model: LlavaForConditionalGeneration) -> None:
        super().__init__()
        self.tower = model.model.vision_tower
        self.projector = model.model.multi_modal_projector
        config: Any = model.config.vision_config
        self.side_px = config.image_size
        self.layers = _feature_layers(model.config)
        self.first_token = 1 if model.config.vision_feature_select_strategy == "default" else 0

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return {"image_features": self.projector(self.chosen(self.tower(**inputs, output_hidden_states=True)))}

    def chosen(self, tower_output: Any) -> torch.Tensor:
        """The states (batch, tokens, any) of the patches that the projector reads."""
        states = tower_output.hidden_states
        return torch.cat([states[layer][:, self.first_token :] for layer in self.layers], dim=-1)


def _feature_layers(config: Any) -> list[int]:
    """The hidden states that the projector reads, 0 being what goes into the first layer."""
    named = config.vision_feature_layer
    layers, count = [named] if isinstance(named, int) else list(named), config.vision_config.num_hidden_layers + 1
    if not all(-count <= layer < count for layer in layers):
        raise BadBundle(
            f"the checkpoint has vision_feature_layer {named}, and its vision tower has the layers {-count} to "
            f"{count - 1}: correct it in config.json"
        )
    return layers
