"""How much memory one question more in a batch takes, from ``config.json`` alone.

Each has a cache of its own, what its decoder keeps of an encoder's tokens where it looks at some, and a picture that
goes through the vision encoder with the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vlm_ros.build.image_tokens import image_tokens
from vlm_ros.core.layer_states import state_shapes

CACHES = 2
"""A step has the cache that goes in and the one that comes out."""

_CONTEXT_TOKENS = 2048
"""Llama's own context, which configurations leave out."""

_NUMBER_BYTES = 4
"""The widest number that caches and activations are made of."""


def row_bytes(config: Mapping[str, Any], slice_px: int | None = None) -> int:
    """What one row of a batch takes over a full context; 0 where ``config`` does not tell how large a cache is.

    ``slice_px`` is the side of the slices that pictures are cut into, where the preprocessor cuts them.
    """
    cache = cache_bytes(config)
    return cache and CACHES * cache + encoded_bytes(config) + picture_bytes(config, slice_px)


def cache_bytes(config: Mapping[str, Any]) -> int:
    """The keys, values and states of a full context of the model that ``config.json`` describes.

    0 where it does not tell.
    """
    by_token = _token_bytes(config)
    return by_token and by_token * _context_tokens(config) + sum(_layer_states(_text(config))) * _NUMBER_BYTES


def encoded_bytes(config: Mapping[str, Any]) -> int:
    """The keys and values of all tokens of an encoder that a decoder looks at; 0 where it looks at none."""
    looks = config.get("model_type") == "blip" or _text(config).get("model_type") == "t5"
    return _token_bytes(config) * max(_context_tokens(config), image_tokens(config)) if looks else 0


def picture_bytes(config: Mapping[str, Any], slice_px: int | None = None) -> int:
    """What lives at once in a layer of the vision encoder for one picture or tile; 0 where ``config`` does not tell.

    Its states, those of its feed-forward, and the scores of its attention around the softmax. ONNX Runtime 1.31 takes
    0.64 to 0.90 of this for each more, in towers of 577 and 1024 tokens, of 1024 and 768 numbers, at opset 20 and 23.
    """
    vision = config.get("vision_config") or {}
    if slice_px:
        vision = {**vision, "image_size": min(slice_px, vision.get("image_size") or slice_px)}
    tokens, width, heads = (
        image_tokens({"vision_config": vision}),
        vision.get("hidden_size"),
        vision.get("num_attention_heads"),
    )
    if not (tokens and width and heads):
        return 0
    hidden = vision.get("intermediate_size") or 4 * width
    return int(tokens * (6 * width + 3 * hidden + 3 * heads * tokens) * _NUMBER_BYTES)


def _token_bytes(config: Mapping[str, Any]) -> int:
    """The keys and values of one token in all layers that attend; T5 calls things otherwise."""
    text = _text(config)
    heads = text.get("num_attention_heads") or text.get("num_heads")
    layers = text.get("num_hidden_layers") or text.get("num_decoder_layers") or text.get("num_layers")
    if not (heads and layers):
        return 0
    width = text.get("head_dim") or text.get("d_kv") or text.get("hidden_size", 0) // heads
    attending = layers - sum(numbers > 0 for numbers in _layer_states(text))
    return int(2 * attending * (text.get("num_key_value_heads") or heads) * width * _NUMBER_BYTES)


def _layer_states(text: Mapping[str, Any]) -> list[int]:
    """How many numbers each layer keeps whatever the context; 0: it attends."""
    return [sum(map(math.prod, state_shapes(text, kind).values())) for kind in text.get("layer_types") or ()]


def _context_tokens(config: Mapping[str, Any]) -> int:
    text = _text(config)
    return int(text.get("max_position_embeddings") or text.get("n_positions") or _CONTEXT_TOKENS)


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    text: Mapping[str, Any] = config.get("text_config") or config
    return text
