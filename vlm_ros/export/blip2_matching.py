"""BLIP-2 where it compares: cosines of the Q-Former's queries and texts, and a fused look at each pair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import Blip2ForImageTextRetrieval

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.errors import ExportFailed
from vlm_ros.export.blip_parts import of_length_one
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.part import Axes, NamedTensors, Part, PicturePart, Sizes
from vlm_ros.runtime.runner import Runner

_DRAWN = Sizes(batch=1, sequence=7, past=0)


def load_checkpoint(folder: Path) -> Any:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    return load_pretrained(Blip2ForImageTextRetrieval, folder)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), TextModel(model), FusionModel(model)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare both scores of a picture and a text with the checkpoint's; ``ExportFailed`` where they differ."""
    drawn = {**VisionEncoder(model).draw(_DRAWN), **TextModel(model).draw(_DRAWN)}
    with torch.inference_mode():
        expected = [checkpoint_scores(model, drawn, together).numpy() for together in (True, False)]
    text = {name: drawn[name].numpy() for name in ("input_ids", "attention_mask")}
    seen = runners["vision_encoder"].run({"pixel_values": drawn["pixel_values"].numpy()})
    fused = runners["fusion_model"].run({**text, "encoder_hidden_states": seen["image_features"]})["itm_logits"]
    cosine = (seen["image_embeds"] @ runners["text_model"].run(text)["text_embeds"].T).max(axis=1)
    agreement = agreement_of(np.append(fused, cosine), np.append(*expected))
    if not agreement.accepted:
        raise ExportFailed(f"the scores of a picture and a text differ from the checkpoint's: {agreement}")


def checkpoint_scores(model: Any, inputs: NamedTensors, together: bool) -> torch.Tensor:
    """The checkpoint's logits of each pair (``together``), or its cosines of all pictures with all texts.

    Where the configuration has an image token, its places in front of the text are cut off again by the checkpoint.
    """
    ids, mask = inputs["input_ids"], inputs["attention_mask"]
    if model.config.image_token_index is not None:
        places = ids.new_full((len(ids), model.config.num_query_tokens), model.config.image_token_index)
        ids, mask = torch.cat([places, ids], dim=1), torch.cat([torch.ones_like(places), mask], dim=1)
    scores = model(inputs["pixel_values"], ids, attention_mask=mask, use_image_text_matching_head=together)
    logits: torch.Tensor = scores.logits_per_image
    return logits


class VisionEncoder(PicturePart):
    """``pixel_values`` (batch, 3, height, width), normalised, to what texts are compared with.

    ``image_features`` (batch, patches, width) for the fused look, ``image_embeds`` (batch, queries, shared width) of
    length one each for cosines.
    """

    name = "vision_encoder"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.queries = model.query_tokens
        self.qformer = model.qformer
        self.projection = model.vision_projection
        self.side_px = model.config.vision_config.image_size

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        patches = self.tower(inputs["pixel_values"]).last_hidden_state
        queries = self.queries.expand(patches.shape[0], -1, -1)
        seen = self.qformer(query_embeds=queries, encoder_hidden_states=patches).last_hidden_state
        return {"image_features": patches, "image_embeds": of_length_one(self.projection(seen))}


class TextModel(Part):
    """``input_ids`` and ``attention_mask`` (batch, sequence) to ``text_embeds`` (batch, shared width) of length one."""

    name = "text_model"

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.embeddings = model.embeddings
        self.qformer = model.qformer
        self.projection = model.text_projection
        self.words = model.config.qformer_config.vocab_size

    @property
    def axes(self) -> Mapping[str, Axes]:
        return dict.fromkeys(("input_ids", "attention_mask"), {0: "batch", 1: "sequence"})

    def draw(self, sizes: Sizes) -> NamedTensors:
        """Row ``i`` of the batch has its last ``i`` tokens masked, where there is room."""
        mask = torch.ones(sizes.batch, sizes.sequence, dtype=torch.int64)
        for row in range(sizes.batch):
            mask[row, max(1, sizes.sequence - row) :] = 0
        return {"input_ids": torch.randint(self.words, mask.shape), "attention_mask": mask}

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        words = self.embeddings(input_ids=inputs["input_ids"])
        read = self.qformer(query_embeds=words, query_length=0, attention_mask=inputs["attention_mask"])
        return {"text_embeds": of_length_one(self.projection(read.last_hidden_state[:, 0]))}


class FusionModel(TextModel):
    """A text and a picture's ``encoder_hidden_states`` to ``itm_logits`` (batch, 2): apart, together."""

    name = "fusion_model"

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self.queries = model.query_tokens
        self.head = model.itm_head
        self.width = model.config.vision_config.hidden_size

    @property
    def axes(self) -> Mapping[str, Axes]:
        return {**super().axes, "encoder_hidden_states": {0: "batch", 1: "encoder_sequence"}}

    def draw(self, sizes: Sizes) -> NamedTensors:
        return {
            **super().draw(sizes),
            "encoder_hidden_states": torch.randn(sizes.batch, sizes.sequence + 4, self.width),
        }

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        mask = inputs["attention_mask"]
        queries = self.queries.expand(mask.shape[0], -1, -1)
        both = self.embeddings(input_ids=inputs["input_ids"], query_embeds=queries)
        fused = self.qformer(
            query_embeds=both,
            query_length=queries.shape[1],
            attention_mask=torch.cat([mask.new_ones(queries.shape[:2]), mask], dim=1),
            encoder_hidden_states=inputs["encoder_hidden_states"],
        ).last_hidden_state
        return {"itm_logits": self.head(fused[:, : queries.shape[1]]).mean(dim=1)}
