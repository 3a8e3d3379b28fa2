"""Tiny BLIP-2 checkpoints of random weights, one for each kind of text model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import processors
from transformers import (
    Blip2Config,
    Blip2ForConditionalGeneration,
    Blip2ForImageTextRetrieval,
    Blip2Processor,
    Blip2QFormerConfig,
    Blip2VisionConfig,
    GenerationConfig,
    LlamaConfig,
    OPTConfig,
    PreTrainedTokenizerFast,
    T5Config,
)
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

SIDE_PX = 32
QUERIES = 6
PAD, BEGIN, END, IMAGE = 0, 1, 2, 4


def make_blip2(folder: Path, tiny: dict[str, Any], text: str, seed: int = 0) -> None:
    """Write a checkpoint with the text model ``text``: ``opt``, ``llama``, ``t5``, or ``matching`` without one."""
    processor = make_processor(tiny, "$A </s>" if text == "t5" else "<s> $A")
    config = _config(text, len(processor.tokenizer))
    kind = Blip2ForImageTextRetrieval if text == "matching" else Blip2ForConditionalGeneration
    model = kind(config).eval()
    tiny["draw_weights"](model, torch.Generator().manual_seed(seed))
    if text == "opt":
        # Its head is its embedding table: at full size a token mostly leads to itself.
        model.language_model.get_input_embeddings().weight.data.mul_(0.1)
    if text != "matching":
        _end_with(model, config.text_config)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)


def make_processor(tiny: dict[str, Any], frame: str) -> Blip2Processor:
    """Byte-level BPE with the special tokens of ``frame`` around every text."""
    backend = tiny["make_processor"]().tokenizer.backend_tokenizer
    backend.post_processor = processors.TemplateProcessing(single=frame, special_tokens=[("<s>", BEGIN), ("</s>", END)])
    specials = {"pad_token": "<pad>", "unk_token": "<unk>", "eos_token": "</s>"}
    if frame.startswith("<s>"):
        specials["bos_token"] = "<s>"
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, **specials)
    pictures = BlipImageProcessorPil(size={"height": SIDE_PX, "width": SIDE_PX})
    return Blip2Processor(pictures, tokenizer, num_query_tokens=QUERIES)


def _config(text: str, words: int) -> Blip2Config:
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    vision = Blip2VisionConfig(**small, image_size=SIDE_PX, patch_size=8)
    qformer = Blip2QFormerConfig(**{**small, "hidden_size": 24}, vocab_size=words, max_position_embeddings=64)
    qformer.use_qformer_text_input = text == "matching"
    return Blip2Config(
        vision_config=vision,
        qformer_config=qformer,
        text_config=_text_config("opt" if text == "matching" else text, words),
        num_query_tokens=QUERIES,
        image_token_index=IMAGE,
        image_text_hidden_size=16,
    )


def _text_config(text: str, words: int) -> Any:
    numbers = {"pad_token_id": PAD, "bos_token_id": BEGIN, "eos_token_id": END, "vocab_size": words}
    if text == "opt":
        sizes = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        return OPTConfig(**sizes, max_position_embeddings=128, **numbers)
    if text == "llama":
        sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
        return LlamaConfig(**sizes, num_key_value_heads=2, max_position_embeddings=128, **numbers)
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    gated = {"feed_forward_proj": "gated-gelu", "tie_word_embeddings": False, "decoder_start_token_id": PAD}
    return T5Config(**sizes, **gated, **numbers, n_positions=128)


def _end_with(model: Blip2ForConditionalGeneration, text: Any) -> None:
    config = GenerationConfig(pad_token_id=PAD, bos_token_id=BEGIN, eos_token_id=END)
    if text.is_encoder_decoder:
        config.decoder_start_token_id = PAD
    model.generation_config = model.language_model.generation_config = config
