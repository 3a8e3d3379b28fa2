"""Writes the trained model as a checkpoint that plain transformers loads."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlavaForConditionalGeneration

from vlm_ros.training.architecture import PATCH_PX, PREPROCESSOR
from vlm_ros.training.phrases import CARD, CHAT_TEMPLATE
from vlm_ros.training.tokenizer import SPECIAL, save_tokenizer


def save_checkpoint(model: LlavaForConditionalGeneration, tokenizer: Tokenizer, folder: Path) -> None:
    """``model`` in float16 with everything a processor needs; half the bytes, the same answers in float32."""
    folder.mkdir(parents=True, exist_ok=True)
    model.to(torch.float16).save_pretrained(folder)
    save_tokenizer(tokenizer, folder, CHAT_TEMPLATE)
    processor = {
        "processor_class": "LlavaProcessor",
        "patch_size": PATCH_PX,
        "vision_feature_select_strategy": "default",
        "num_additional_image_tokens": 1,
        "image_token": SPECIAL[3],
    }
    _write(folder / "preprocessor_config.json", PREPROCESSOR)
    _write(folder / "processor_config.json", processor)
    _write(folder / "model_card.json", CARD.to_json())


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
