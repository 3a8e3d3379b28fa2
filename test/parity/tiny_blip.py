"""BLIPs and a Chinese-CLIP of random weights, as checkpoints with their processors."""

from __future__ import annotations

from pathlib import Path

import torch
import transformers
from transformers import BertTokenizer, BlipConfig, BlipProcessor, ChineseCLIPConfig, ChineseCLIPModel
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil
from transformers.models.chinese_clip.image_processing_pil_chinese_clip import ChineseCLIPImageProcessorPil

SIDE_PX = 32
WORDS = (
    *(
        "a",
        "is",
        "in",
        "the",
        "of",
        "red",
        "green",
        "blue",
        "ball",
        "box",
        "picture",
        "photo",
        "there",
        "where",
        "what",
    ),
    *(
        "no",
        "yes",
        "left",
        "right",
        "center",
        "near",
        "far",
        "clear",
        "blocked",
        "path",
        "and",
        "two",
        ",",
        ".",
        "?",
        "!",
    ),
    *(
        "##s",
        "##ed",
        "##er",
        "##ing",
        "房",
        "间",
        "里",
        "有",
        "一",
        "个",
        "红",
        "色",
        "的",
        "球",
        "张",
        "照",
        "片",
        "墙",
    ),
)
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = tuple(form for letter in "abcdefghijklmnopqrstuvwxyz" for form in (letter, f"##{letter}"))
VOCABULARY = tuple(dict.fromkeys((*SPECIAL, *WORDS, *LETTERS)))
SIZES = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
VISION = {**SIZES, "image_size": SIDE_PX, "patch_size": 8}
HALF = {"image_mean": [0.5, 0.4, 0.45], "image_std": [0.25, 0.26, 0.27]}


def make_blip(folder: Path, architecture: str, draw_weights) -> None:
    """Write a whole checkpoint; ``draw_weights`` fills the weights, whose default is next to nothing."""
    tokenizer = BertTokenizer(vocab={word: number for number, word in enumerate(VOCABULARY)})
    tokenizer.add_special_tokens({"bos_token": "[DEC]"})
    tokenizer.add_special_tokens({"additional_special_tokens": ["[ENC]"]})
    ids = {"bos_token_id": len(VOCABULARY), "sep_token_id": VOCABULARY.index("[SEP]"), "pad_token_id": 0}
    text = {**SIZES, "max_position_embeddings": 64, "vocab_size": len(tokenizer), **ids}
    # As in BLIP large, pictures are wider than texts, but where a decoder looks at the states of a question.
    vision = {**VISION, "hidden_size": 32 if architecture == "BlipForQuestionAnswering" else 48}
    config = BlipConfig(text_config=text, vision_config=vision, projection_dim=16, image_text_hidden_size=16)
    save(getattr(transformers, architecture)(config), folder, draw_weights)
    pictures = BlipImageProcessorPil(size={"height": SIDE_PX, "width": SIDE_PX}, **HALF)
    BlipProcessor(pictures, tokenizer).save_pretrained(folder)


def make_chinese_clip(folder: Path, draw_weights) -> None:
    """Write a whole checkpoint, with its vocabulary as ``vocab.txt`` alone, as the hub has it."""
    text = {**SIZES, "vocab_size": len(VOCABULARY), "max_position_embeddings": 80}
    model = ChineseCLIPModel(ChineseCLIPConfig(text_config=text, vision_config=VISION, projection_dim=16))
    save(model, folder, draw_weights)
    sizes = {"size": {"height": SIDE_PX, "width": SIDE_PX}, "do_center_crop": False, **HALF}
    ChineseCLIPImageProcessorPil(**sizes).save_pretrained(folder)
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text('{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}\n')


@torch.no_grad()
def save(model: torch.nn.Module, folder: Path, draw_weights) -> None:
    """Write ``model`` with weights such that its words change from place to place and with the picture.

    Where a decoder looks at too much of the picture, it says one word again and again.
    """
    draw_weights(model, torch.Generator().manual_seed(0))
    for name, parameter in model.named_parameters():
        if name.startswith("text_decoder") and "crossattention.output.dense" in name:
            parameter.mul_(0.2)
        if name.endswith("bert.embeddings.position_embeddings.weight"):
            parameter.mul_(2.0)
    model.eval().save_pretrained(folder)
