"""How large a text model is, under the names that the ``config.json`` of its family has for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from vlm_ros.core.context import context_tokens


@dataclass(frozen=True)
class TextSizes:
    """The numbers of a state, and of one in the feed-forward; heads, those of keys and values, and how wide one is."""

    width: int
    hidden: int
    heads: int
    cached_heads: int
    head_width: int
    layers: int
    context_tokens: int


def text_sizes(config: Mapping[str, Any]) -> TextSizes | None:
    """The sizes of the text model that ``config`` describes; ``None`` where it does not tell how many heads there are.

    T5 calls things otherwise, and so does OPT the feed-forward.
    """
    text = text_config(config)
    heads = text.get("num_attention_heads") or text.get("num_heads")
    layers = text.get("num_hidden_layers") or text.get("num_decoder_layers") or text.get("num_layers")
    if not (heads and layers):
        return None
    width = text.get("hidden_size") or text.get("d_model") or 0
    return TextSizes(
        width=width,
        hidden=text.get("intermediate_size") or text.get("ffn_dim") or text.get("d_ff") or 4 * width,
        heads=heads,
        cached_heads=text.get("num_key_value_heads") or heads,
        head_width=text.get("head_dim") or text.get("d_kv") or width // heads,
        layers=layers,
        context_tokens=text.get("n_positions") or context_tokens(config),
    )


def text_config(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ``config`` says of the text model: a place of its own, or all of it."""
    text: Mapping[str, Any] = config.get("text_config") or config
    return text
