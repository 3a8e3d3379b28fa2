"""The CLIP family: an encoder for pictures and one for texts, whose outputs have length one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import CLIPModel

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.errors import ExportFailed
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.part import Axes, NamedTensors, Part, PicturePart, Sizes
from vlm_ros.runtime.runner import Runner

_OLD_END = 2
"""What old configurations call the end of a text by mistake: there it is the token with the highest number."""

_COMPARED = Sizes(batch=3, sequence=7, past=0)


def load_checkpoint(folder: Path) -> CLIPModel:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    model: CLIPModel = load_pretrained(CLIPModel, folder)
    return model


def parts_of(model: CLIPModel) -> tuple[Part, ...]:
    """The two graphs of a CLIP bundle."""
    return VisionModel(model), TextModel(model)


def card_facts(model: Any) -> Mapping[str, Any]:
    """What the model's card must know of its weights."""
    return {"similarity_scale": float(model.logit_scale.detach().exp())}


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare the cosines of random pictures and texts with the checkpoint's; ``ExportFailed`` where they differ."""
    vision, text = parts_of(model)
    compare_cosines(model, (vision, text), runners)


def compare_cosines(model: Any, parts: tuple[Part, Part], runners: Mapping[str, Runner]) -> None:
    """As ``check_answers``, for whoever has the parts of CLIP."""
    vision, text = (part.draw(_COMPARED) for part in parts)
    with torch.inference_mode():
        expected = model(**vision, **text).logits_per_image / model.logit_scale.exp()
    images, texts = (
        runners[part.name].run({name: tensor.numpy() for name, tensor in drawn.items()})[part.output]
        for part, drawn in zip(parts, (vision, text), strict=True)
    )
    agreement = agreement_of(images @ texts.T, expected.numpy())
    if not agreement.accepted:
        raise ExportFailed(f"the cosines of pictures and texts differ from the checkpoint's: {agreement}")


class VisionModel(PicturePart):
    """``pixel_values`` (batch, 3, height, width), normalised, to ``image_embeds`` (batch, width) of length one."""

    name = "vision_model"
    output = "image_embeds"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower, self.projection = model.vision_model, model.visual_projection
        self.side_px = model.config.vision_config.image_size

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        pooled = self.tower(inputs["pixel_values"]).pooler_output
        return {self.output: of_length_one(self.projection(pooled))}


class TextModel(Part):
    """``input_ids`` (batch, sequence), padded after the end, to ``text_embeds`` (batch, width) of length one.

    It takes no mask: what follows the end of a text is not looked at.
    """

    name = "text_model"
    output = "text_embeds"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.text, self.projection = model.text_model, model.text_projection
        self.config: Any = model.config.text_config

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {"input_ids": {0: "batch", 1: "sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Row ``i`` of the batch ends ``i`` tokens before the last one, where there is room."""
        end = self.config.vocab_size - 1 if self.config.eos_token_id == _OLD_END else self.config.eos_token_id
        numbers = torch.randint(self.config.vocab_size - 1, (sizes.batch, sizes.sequence))
        numbers[numbers == end] = (end + 1) % (self.config.vocab_size - 1)
        for row in range(sizes.batch):
            numbers[row, max(0, sizes.sequence - 1 - row) :] = end
        return {"input_ids": numbers}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        pooled = self.text(input_ids=inputs["input_ids"]).pooler_output
        return {self.output: of_length_one(self.projection(pooled))}


def of_length_one(vectors: torch.Tensor) -> torch.Tensor:
    """``vectors`` at length one along the last axis."""
    return vectors / vectors.norm(p=2, dim=-1, keepdim=True)
