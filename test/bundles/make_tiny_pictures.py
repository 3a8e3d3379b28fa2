"""Make checkpoints of the families beside LLaVA small enough for tests: real architectures, random weights."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

_LLAVA = runpy.run_path(str(Path(__file__).with_name("make_tiny_llava.py")))
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] | capitalize }}:"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}{{ '<image>' }}{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}</s>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)


def make_smolvlm(folder: Path, kind: str = "smolvlm", seed: int = 0) -> None:
    """SmolVLM or Idefics3: tiles of 32 pixels, each of four tokens."""
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3Processor,
        SmolVLMConfig,
        SmolVLMForConditionalGeneration,
    )
    from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

    tokenizer = make_tokenizer("<fake_token_around_image>", "<global-img>", "<row_1_col_1>", "<row_1_col_2>")
    pictures = Idefics3ImageProcessorPil(size={"longest_edge": 64}, max_image_size={"longest_edge": 32})
    Idefics3Processor(pictures, tokenizer, image_seq_len=4, chat_template=CHAT_TEMPLATE).save_pretrained(folder)
    vision = {"image_size": 32, "patch_size": 8, "hidden_size": 32, "intermediate_size": 64}
    vision |= {"num_hidden_layers": 2, "num_attention_heads": 2}
    text = {"model_type": "llama", **_LLAVA["text_sizes"](len(tokenizer))}
    config_class = SmolVLMConfig if kind == "smolvlm" else Idefics3Config
    config = config_class(
        vision_config=vision,
        text_config=text,
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=0,
        tie_word_embeddings=False,
    )
    save(
        folder, SmolVLMForConditionalGeneration if kind == "smolvlm" else Idefics3ForConditionalGeneration, config, seed
    )


def make_tokenizer(*more: str) -> Any:
    """The tokenizer of the tiny LLaVA with ``more`` special tokens."""
    tokenizer = _LLAVA["make_processor"]().tokenizer
    tokenizer.add_special_tokens({"additional_special_tokens": list(more)})
    return tokenizer


def save(folder: Path, architecture: Callable[[Any], Any], config: Any, seed: int) -> None:
    """A model of ``config`` whose every layer matters, as a checkpoint."""
    model = architecture(config).eval()
    _LLAVA["draw_weights"](model, torch.Generator().manual_seed(seed))
    model.generation_config = GenerationConfig(pad_token_id=0, bos_token_id=1, eos_token_id=2)
    model.save_pretrained(folder)
