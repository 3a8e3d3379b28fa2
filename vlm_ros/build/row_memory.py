"""How much memory one question more in a batch takes, from ``config.json`` alone.

Each has a cache of its own, what its decoder keeps of an encoder's tokens where it looks at some, and a picture that
goes through the vision encoder with the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vlm_ros.build.image_tokens import image_tokens
from vlm_ros.build.text_sizes import text_config, text_sizes
from vlm_ros.core.layer_states import state_shapes

CACHES = 2
"""A step has the cache that goes in and the one that comes out."""

NUMBER_BYTES = 4
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
    sizes = text_sizes(config)
    if sizes is None:
        return 0
    return _token_bytes(config) * sizes.context_tokens + sum(_layer_states(text_config(config))) * NUMBER_BYTES


def encoded_bytes(config: Mapping[str, Any]) -> int:
    """The keys and values of all tokens of an encoder that a decoder looks at; 0 where it looks at none."""
    looks = config.get("model_type") == "blip" or text_config(config).get("model_type") == "t5"
    sizes = text_sizes(config)
    return _token_bytes(config) * max(sizes.context_tokens, image_tokens(config)) if looks and sizes else 0


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
    return int(tokens * (6 * width + 3 * hidden + 3 * heads * tokens) * NUMBER_BYTES)


def _token_bytes(config: Mapping[str, Any]) -> int:
    """The keys and values of one token in all layers that attend; 0 where ``config`` does not tell."""
    sizes = text_sizes(config)
    if sizes is None:
        return 0
    attending = sizes.layers - sum(numbers > 0 for numbers in _layer_states(text_config(config)))
    return int(2 * attending * sizes.cached_heads * sizes.head_width * NUMBER_BYTES)


def _layer_states(text: Mapping[str, Any]) -> list[int]:
    """How many numbers each layer keeps whatever the context; 0: it attends."""
    return [sum(map(math.prod, state_shapes(text, kind).values())) for kind in text.get("layer_types") or ()]
