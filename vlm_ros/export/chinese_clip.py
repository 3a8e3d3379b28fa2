"""The Chinese-CLIP family: CLIP's pictures, and a BERT for texts in Chinese."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import ChineseCLIPModel

from vlm_ros.export import clip
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.part import Axes, NamedTensors, Part, Sizes
from vlm_ros.runtime.runner import Runner

card_facts = clip.card_facts


def load_checkpoint(folder: Path) -> ChineseCLIPModel:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    model: ChineseCLIPModel = load_pretrained(ChineseCLIPModel, folder)
    return model


def parts_of(model: ChineseCLIPModel) -> tuple[Part, ...]:
    """The two graphs of a Chinese-CLIP bundle."""
    return clip.VisionModel(model), TextModel(model)


def check_answers(model: ChineseCLIPModel, runners: Mapping[str, Runner]) -> None:
    """Compare the cosines of random pictures and texts with the checkpoint's; ``ExportFailed`` where they differ."""
    clip.compare_cosines(model, (clip.VisionModel(model), TextModel(model)), runners)


class TextModel(clip.TextModel):
    """``input_ids`` and ``attention_mask`` (batch, sequence) to ``text_embeds`` (batch, width) of length one.

    The first token's state stands for the text, and has looked at all that the mask shows.
    """

    @property
    def axes(self) -> Mapping[str, Axes]:
        tokens = {0: "batch", 1: "sequence"}
        return {"input_ids": tokens, "attention_mask": tokens}

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Row ``i`` of the batch has its last ``i`` tokens masked, where there is room."""
        mask = torch.ones(sizes.batch, sizes.sequence, dtype=torch.int64)
        for row in range(sizes.batch):
            mask[row, max(1, sizes.sequence - row) :] = 0
        return {"input_ids": torch.randint(self.config.vocab_size, mask.shape), "attention_mask": mask}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        states = self.text(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).last_hidden_state
        return {self.output: clip.of_length_one(self.projection(states[:, 0]))}
