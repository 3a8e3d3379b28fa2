"""BLIP-2: a vision tower and a Q-Former give a few tokens that stand before the question to OPT, Llama or Flan-T5."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import Blip2ForConditionalGeneration, GenerationConfig

from vlm_ros.core.errors import BadBundle
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.greedy import CHECKED_TOKENS, PROMPT_TOKENS, compare_tokens, exported_tokens
from vlm_ros.export.part import NamedTensors, Part, PicturePart
from vlm_ros.export.seq2seq import seq2seq_parts, seq2seq_tokens
from vlm_ros.export.text_decoder import TextDecoder, TokenEmbedding
from vlm_ros.runtime.runner import Runner


def load_checkpoint(folder: Path) -> Blip2ForConditionalGeneration:
    """The checkpoint ready for inference, as ``load_pretrained`` says; ``BadBundle`` without an image token."""
    model: Blip2ForConditionalGeneration = load_pretrained(Blip2ForConditionalGeneration, folder)
    if model.config.image_token_index is None:
        raise BadBundle(
            f"'{folder}/config.json' has no image_token_index: save the checkpoint again with a processor that has "
            "num_query_tokens, and embeddings as long as its tokenizer"
        )
    return model


def parts_of(model: Blip2ForConditionalGeneration) -> tuple[Part, ...]:
    """The graphs of a bundle: three of a decoder-only text model, five of one with an encoder."""
    text: Any = model.language_model
    table = text.get_input_embeddings()
    shared = (VisionEncoder(model), TokenEmbedding(table))
    if text.config.is_encoder_decoder:
        return (*shared, *seq2seq_parts(text))
    return (*shared, TextDecoder(text.model, text.lm_head, table.embedding_dim))


def check_answers(model: Blip2ForConditionalGeneration, runners: Mapping[str, Runner]) -> None:
    """Compare greedy tokens of the active ``runners`` with the checkpoint's; ``ExportFailed`` where they differ."""
    vision: Any = model.config.vision_config
    pixels = torch.randn(1, 3, vision.image_size, vision.image_size)
    prompt = random_prompt(model)
    features = runners["vision_encoder"].run({"pixel_values": pixels.numpy()})["image_features"]
    expected = checkpoint_tokens(model, prompt, pixels)
    compare_tokens(answer_tokens(model, runners, prompt, features), expected)


def answer_tokens(
    model: Blip2ForConditionalGeneration, runners: Mapping[str, Runner], prompt: torch.Tensor, features: Any
) -> list[int]:
    """What the exported parts decode from ``prompt`` (1, sequence) and ``features`` (1, queries, width)."""
    decode = seq2seq_tokens if model.config.is_encoder_decoder else exported_tokens
    return decode(runners, prompt.numpy(), features, model.config.image_token_index)


def random_prompt(model: Blip2ForConditionalGeneration) -> torch.Tensor:
    """Token numbers (1, sequence): the picture, then random text."""
    image_token, words = model.config.image_token_index, model.config.text_config.vocab_size
    text = torch.randint(words, (1, PROMPT_TOKENS))
    text[text == image_token] = (image_token + 1) % words
    return torch.cat([torch.full((1, model.config.num_query_tokens), image_token), text], dim=1)


def checkpoint_tokens(model: Blip2ForConditionalGeneration, prompt: torch.Tensor, pixels: torch.Tensor) -> list[int]:
    """What the checkpoint's own loop decodes. No token ends it: a short answer could agree by ending early."""
    text: Any = model.language_model
    own_config = text.generation_config
    text.generation_config = GenerationConfig(
        max_new_tokens=CHECKED_TOKENS, do_sample=False, decoder_start_token_id=own_config.decoder_start_token_id
    )
    try:
        tokens = model.generate(input_ids=prompt, attention_mask=torch.ones_like(prompt), pixel_values=pixels)
    finally:
        text.generation_config = own_config
    new: list[int] = tokens[0, -CHECKED_TOKENS:].tolist()
    return new


class VisionEncoder(PicturePart):
    """``pixel_values`` (batch, 3, height, width), normalised, to ``image_features`` (batch, queries, width)."""

    name = "vision_encoder"

    def __init__(self, model: Blip2ForConditionalGeneration) -> None:
        super().__init__()
        self.tower = model.vision_model
        self.queries = model.query_tokens
        self.qformer = model.qformer
        self.projection = model.language_projection
        config: Any = model.config.vision_config
        self.side_px = config.image_size

    def forward(self, inputs: NamedTensors) -> NamedTensors:
        patches = self.tower(inputs["pixel_values"]).last_hidden_state
        queries = self.queries.expand(patches.shape[0], -1, -1)
        seen = self.qformer(query_embeds=queries, encoder_hidden_states=patches).last_hidden_state
        return {"image_features": self.projection(seen)}
