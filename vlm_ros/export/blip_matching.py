"""The BLIP family where it compares: cosines of pictures and texts, and a fused look at each pair."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import BlipForImageTextRetrieval

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.errors import ExportFailed
from vlm_ros.export.blip_parts import FusionModel, TextModel, VisionEncoder
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.part import Part, Sizes
from vlm_ros.runtime.runner import Runner

_DRAWN = Sizes(batch=1, sequence=7, past=0)


def load_checkpoint(folder: Path) -> Any:
    """The checkpoint ready for inference, as ``load_pretrained`` says."""
    return load_pretrained(BlipForImageTextRetrieval, folder)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The three graphs of a bundle."""
    return VisionEncoder(model), TextModel(model), FusionModel(model)


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare both scores of a picture and a text with the checkpoint's; ``ExportFailed`` where they differ."""
    drawn = {**VisionEncoder(model).draw(_DRAWN), **TextModel(model).draw(_DRAWN)}
    with torch.inference_mode():
        expected = [model(**drawn, use_itm_head=head).itm_score.numpy() for head in (True, False)]
    text = {name: drawn[name].numpy() for name in ("input_ids", "attention_mask")}
    seen = runners["vision_encoder"].run({"pixel_values": drawn["pixel_values"].numpy()})
    fused = runners["fusion_model"].run({**text, "encoder_hidden_states": seen["image_features"]})["itm_logits"]
    cosine = seen["image_embeds"] @ runners["text_model"].run(text)["text_embeds"].T
    agreement = agreement_of(np.append(fused, cosine), np.append(*expected))
    if not agreement.accepted:
        raise ExportFailed(f"the scores of a picture and a text differ from the checkpoint's: {agreement}")
