"""LLaVA-OneVision: a SigLIP over square tiles, a projector, and a Qwen2."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import LlavaOnevisionForConditionalGeneration

from vlm_ros.export import llava
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.greedy import check_picture_tokens
from vlm_ros.export.part import NamedTensors, Part, Sizes
from vlm_ros.export.text_decoder import text_parts
from vlm_ros.runtime.runner import Runner

_TWO_PICTURES = Sizes(batch=2, sequence=1, past=0)


def load_checkpoint(folder: Path) -> Any:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    return load_pretrained(LlavaOnevisionForConditionalGeneration, folder)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), *text_parts(model)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens about two pictures, which are a tile each; ``ExportFailed`` where they differ."""
    pixels = VisionEncoder(model).draw(_TWO_PICTURES)["pixel_values"]
    made = runners["vision_encoder"].run({"pixel_values": pixels.numpy()})
    end = made["image_newline"][None]
    features = np.concatenate([part for tile in made["image_features"] for part in (tile, end)])
    sizes = torch.tensor([list(pixels.shape[2:])] * 2)
    picture = {"pixel_values": pixels[:, None], "image_sizes": sizes, "batch_num_images": torch.tensor([2])}
    check_picture_tokens(model, runners, picture, features)


class VisionEncoder(llava.VisionEncoder):
    """As LLaVA's, for tiles; also gives ``image_newline`` (width), which stands at the end of a line of tiles."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.newline = model.model.image_newline

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        return super().forward(inputs) | {"image_newline": self.newline.clone()}
