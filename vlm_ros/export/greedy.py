"""Whether whole answers agree: the exported parts, chained as in use, against the checkpoint's own loop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from transformers import GenerationConfig, LlavaForConditionalGeneration

from vlm_ros.core.agreement import Array
from vlm_ros.core.errors import ExportFailed
from vlm_ros.runtime.kv_cache import KvLayout
from vlm_ros.runtime.runner import Runner

CHECKED_TOKENS = 32
PROMPT_TOKENS = 8


def check_tokens(model: LlavaForConditionalGeneration, runners: Mapping[str, Runner]) -> None:
    """Compare 32 greedy tokens after one random picture and prompt; ``ExportFailed`` where they differ."""
    vision: Any = model.config.vision_config
    pixels = torch.randn(1, 3, vision.image_size, vision.image_size)
    features = runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
    check_picture_tokens(model, runners, {"pixel_values": pixels}, features[0])


def check_picture_tokens(
    model: Any, runners: Mapping[str, Runner], picture: Mapping[str, torch.Tensor], features: Array
) -> None:
    """As ``check_tokens``, about a ``picture`` as the checkpoint takes it, of ``features`` (tokens, width)."""
    prompt = random_prompt(model, len(features))
    expected = checkpoint_tokens(model, prompt, **picture)
    compare_tokens(exported_tokens(runners, prompt.numpy(), features[None], model.config.image_token_id), expected)


def compare_tokens(exported: Sequence[int], expected: Sequence[int]) -> None:
    """``ExportFailed`` where 32 greedy tokens are not the same ones."""
    agreed = int(np.cumprod(np.equal(exported, expected)).sum())
    if agreed < CHECKED_TOKENS:
        raise ExportFailed(
            f"greedy decoding differs from the checkpoint after {agreed} of {CHECKED_TOKENS} tokens: "
            f"{exported[agreed:]} against {expected[agreed:]}"
        )


def random_prompt(model: Any, image_tokens: int) -> torch.Tensor:
    """Token numbers (1, sequence): one picture among random text."""
    table: Any = model.get_input_embeddings()
    image_token, words = model.config.image_token_id, table.num_embeddings
    text = torch.randint(words, (1, PROMPT_TOKENS))
    text[text == image_token] = (image_token + 1) % words
    picture = torch.full((1, image_tokens), image_token)
    return torch.cat([text[:, :2], picture, text[:, 2:]], dim=1)


def checkpoint_tokens(model: Any, prompt: torch.Tensor, pixel_values: torch.Tensor, **others: Any) -> list[int]:
    """What the checkpoint's own loop decodes. No token ends it: a short answer could agree by ending early."""
    picture = {"pixel_values": pixel_values, **others}
    own_config = model.generation_config
    model.generation_config = GenerationConfig(max_new_tokens=CHECKED_TOKENS, do_sample=False)
    try:
        tokens = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), **picture)
    finally:
        model.generation_config = own_config
    new: list[int] = tokens[0, prompt.shape[1] :].tolist()
    return new


def exported_tokens(
    runners: Mapping[str, Runner], prompt: Array, features: Array, image_token: int, positions: Array | None = None
) -> list[int]:
    """What the exported parts decode from ``prompt`` (1, sequence) and ``features`` (1, image tokens, width).

    ``positions`` (3, 1, sequence) are given where they do not simply count.
    """
    rows: Any = np.arange(prompt.shape[1])[None] if positions is None else positions
    embed, decoder = runners["embed_tokens"], runners["decoder_model_merged"]
    embeds = embed.run({"input_ids": prompt})["inputs_embeds"].copy()
    embeds[prompt == image_token] = features[0]
    layout = KvLayout.from_runner(decoder)
    cache = layout.empty()
    tokens: list[int] = []
    while len(tokens) < CHECKED_TOKENS:
        total = cache.tokens + embeds.shape[1]
        step = {
            "inputs_embeds": embeds,
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": rows,
        }
        outputs = decoder.run({**step, **cache.feeds})
        cache = layout.next(cache, outputs, embeds.shape[1])
        tokens.append(int(outputs["logits"][0, -1].argmax()))
        embeds = embed.run({"input_ids": np.array([tokens[-1:]])})["inputs_embeds"]
        rows = np.full_like(rows[..., :1], rows.max() + 1)
    return tokens
