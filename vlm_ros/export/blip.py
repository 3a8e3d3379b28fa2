"""The BLIP family where it speaks: captions, and answers to questions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers

from vlm_ros.core.errors import BadBundle
from vlm_ros.export import blip_parts
from vlm_ros.export.bundle_files import read_json
from vlm_ros.export.checkpoint import load_pretrained
from vlm_ros.export.cross_attention import CrossAttentionKv
from vlm_ros.export.greedy import CHECKED_TOKENS, compare_tokens
from vlm_ros.export.part import NamedTensors, Part, Sizes
from vlm_ros.export.text_decoder import TokenEmbedding
from vlm_ros.runtime.kv_cache import ENCODER_MASK, KvLayout
from vlm_ros.runtime.runner import Runner

ARCHITECTURES = ("BlipForConditionalGeneration", "BlipForQuestionAnswering")

_DRAWN = Sizes(batch=1, sequence=7, past=0)


def load_checkpoint(folder: Path) -> Any:
    """The checkpoint ready for inference, as ``load_pretrained`` says; ``BadBundle`` for an unknown architecture."""
    named = (read_json(folder / "config.json").get("architectures") or ["none named"])[0]
    if named not in ARCHITECTURES:
        raise BadBundle(f"'{folder}' is a BLIP of the architecture {named}: known are {', '.join(ARCHITECTURES)}")
    return load_pretrained(getattr(transformers, named), folder)


def parts_of(model: Any) -> tuple[Part, ...]:
    """The graphs of a bundle, which differ by architecture."""
    vision = blip_parts.VisionEncoder(model)
    bert, head = model.text_decoder.bert, model.text_decoder.cls
    layers = [layer.crossattention.self for layer in bert.encoder.layer]
    cross = CrossAttentionKv([(layer.key, layer.value) for layer in layers], bert.config.num_attention_heads)
    decoder = blip_parts.CrossDecoder(bert, head, bert.config.hidden_size)
    speaking = TokenEmbedding(bert.get_input_embeddings()), cross, decoder
    if hasattr(model, "text_encoder"):
        return vision, blip_parts.QuestionEncoder(model), *speaking
    return vision, *speaking


def check_answers(model: Any, runners: Mapping[str, Runner]) -> None:
    """Compare 32 greedy tokens with the checkpoint's; ``ExportFailed`` where they differ."""
    pixels = blip_parts.VisionEncoder(model).draw(_DRAWN)
    prompt = torch.randint(model.config.text_config.vocab_size, (1, _DRAWN.sequence))
    prompt[0, 0] = model.config.text_config.bos_token_id
    compare_tokens(exported_tokens(model, runners, prompt, pixels), checkpoint_tokens(model, prompt, pixels))


def checkpoint_tokens(model: Any, prompt: torch.Tensor, pixels: NamedTensors) -> list[int]:
    """What the checkpoint's own loop decodes after ``prompt``, of which a model that answers sees a question.

    No token ends it: a short answer could agree by ending early.
    """
    text = model.config.text_config
    ends, text.sep_token_id = text.sep_token_id, None
    asked = hasattr(model, "text_encoder")
    try:
        # Captions: the class itself drops the last token, where its tokenizer leaves an end.
        ids = prompt if asked else torch.cat([prompt, prompt[:, :1]], dim=1)
        length = {"max_new_tokens": CHECKED_TOKENS, "do_sample": False}
        tokens = model.generate(**pixels, input_ids=ids, attention_mask=torch.ones_like(ids), **length)
    finally:
        text.sep_token_id = ends
    new: list[int] = tokens[0, 1 if asked else prompt.shape[1] :].tolist()
    return new


def exported_tokens(model: Any, runners: Mapping[str, Runner], prompt: torch.Tensor, pixels: NamedTensors) -> list[int]:
    """What the exported parts decode from the same."""
    encoded = runners["vision_encoder"].run({"pixel_values": pixels["pixel_values"].numpy()})["image_features"]
    feed = prompt.numpy()
    if "question_encoder" in runners:
        question = {"input_ids": feed, "attention_mask": np.ones_like(feed), "encoder_hidden_states": encoded}
        encoded = runners["question_encoder"].run(question)["question_features"]
        feed = np.array([[model.config.text_config.bos_token_id]])
    decoder = runners["decoder_model_merged"]
    layout = KvLayout.from_runner(decoder)
    fixed = runners["cross_attention_kv"].run({"encoder_hidden_states": encoded})
    cache = layout.empty({**fixed, ENCODER_MASK: np.ones(encoded.shape[:2], np.int64)})
    tokens: list[int] = []
    while len(tokens) < CHECKED_TOKENS:
        total = cache.tokens + feed.shape[1]
        step = {
            "inputs_embeds": runners["embed_tokens"].run({"input_ids": feed})["inputs_embeds"],
            "attention_mask": np.ones((1, total), np.int64),
            "position_ids": np.arange(cache.tokens, total)[None],
        }
        outputs = decoder.run({**step, **cache.feeds})
        cache = layout.next(cache, outputs, feed.shape[1])
        tokens.append(int(outputs["logits"][0, -1].argmax()))
        feed = np.array([tokens[-1:]])
    return tokens
