"""Whether whole answers agree: the exported parts, chained as a robot chains them, against the checkpoint's own loop."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import GenerationConfig, LlavaForConditionalGeneration

from vlm_ros.core.errors import ExportFailed
from vlm_ros.runtime.runner import Runner

CHECKED_TOKENS = 32
PROMPT_TOKENS = 8


def check_tokens(model: LlavaForConditionalGeneration, runners: Mapping[str, Runner]) -> None:
    """Compare 32 greedy tokens after one random picture and prompt; ``ExportFailed`` where they differ."""
    side_px = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, side_px, side_px)
    features = runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
    prompt = random_prompt(model, features.shape[1])
    expected = checkpoint_tokens(model, prompt, pixels)
    exported = exported_tokens(runners, prompt.numpy(), features, model.config.image_token_id)
    agreed = int(np.cumprod(np.equal(exported, expected)).sum())
    if agreed < CHECKED_TOKENS:
        raise ExportFailed(
            f"greedy decoding differs from the checkpoint after {agreed} of {CHECKED_TOKENS} tokens: "
            f"{exported[agreed:]} against {expected[agreed:]}"
        )


def random_prompt(model: LlavaForConditionalGeneration, image_tokens: int) -> torch.Tensor:
    """Token numbers (1, sequence): one picture among random text."""
    image_token = model.config.image_token_id
    text = torch.randint(model.config.text_config.vocab_size, (1, PROMPT_TOKENS))
    text[text == image_token] = (image_token + 1) % model.config.text_config.vocab_size
    picture = torch.full((1, image_tokens), image_token)
    return torch.cat([text[:, :2], picture, text[:, 2:]], dim=1)


def checkpoint_tokens(model: LlavaForConditionalGeneration, prompt: torch.Tensor, pixels: torch.Tensor) -> list[int]:
    """What the checkpoint's own loop decodes. No token ends it: a short answer could agree by ending early."""
    model.generation_config = GenerationConfig(max_new_tokens=CHECKED_TOKENS, do_sample=False)
    with torch.inference_mode():
        tokens = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), pixel_values=pixels)
    new: list[int] = tokens[0, prompt.shape[1] :].tolist()
    return new


def exported_tokens(
    runners: Mapping[str, Runner], prompt: NDArray[np.int64], features: NDArray[np.generic], image_token: int
) -> list[int]:
    """What the exported parts decode from ``prompt`` (1, sequence) and ``features`` (1, image tokens, width)."""
    embed, decoder = runners["embed_tokens"], runners["decoder_model_merged"]
    embeds = embed.run({"input_ids": prompt})["inputs_embeds"].copy()
    embeds[prompt == image_token] = features[0]
    cache = {
        name: np.zeros((1, spec.shape[1], 0, spec.shape[3]), np.float32)
        for name, spec in decoder.inputs.items()
        if name.startswith("past_key_values")
    }
    tokens: list[int] = []
    length = 0
    while len(tokens) < CHECKED_TOKENS:
        positions = np.arange(length, length + embeds.shape[1])[None]
        length += embeds.shape[1]
        step = {"inputs_embeds": embeds, "attention_mask": np.ones((1, length), np.int64), "position_ids": positions}
        outputs = decoder.run(step | cache)
        tokens.append(int(outputs["logits"][0, -1].argmax()))
        cache = {name: outputs[name.replace("past_key_values", "present")] for name in cache}
        embeds = embed.run({"input_ids": np.array([tokens[-1:]])})["inputs_embeds"]
    return tokens
