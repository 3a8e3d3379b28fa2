"""How many tokens a text model reads, picture, question and answer together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_LLAMA_TOKENS = 2048
"""Configurations leave the number out where it is Llama's default."""


def context_tokens(config: Mapping[str, Any]) -> int:
    """The length that the text model of ``config.json`` was made for, up to where its rotary factors change."""
    made_for = _made_for(config)
    border = factors_change_after(config)
    return made_for if border is None else min(made_for, border)


def factors_change_after(config: Mapping[str, Any]) -> int | None:
    """After how many tokens a text model such as Phi-3's with 128k turns to its long rotary factors, if it does.

    Keys that were turned by the short ones do not fit those that follow. transformers turns a prompt that is longer
    by the long ones from its first token on, and a picture is read before anybody knows how long its questions are.
    """
    text = _text(config)
    for place in (text.get("rope_parameters"), text.get("rope_scaling")):
        if isinstance(place, Mapping) and place.get("long_factor"):
            border = text.get("original_max_position_embeddings") or place.get("original_max_position_embeddings")
            return int(border) if border and border < _made_for(config) else None
    return None


def _made_for(config: Mapping[str, Any]) -> int:
    return int(_text(config).get("max_position_embeddings") or _LLAMA_TOKENS)


def _text(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """What ``config`` says of the text model; the whole of it where no place of its own tells the length."""
    places = (config.get("text_config"), config.get("llm_config"))
    return next((text for text in places if isinstance(text, dict) and text.get("max_position_embeddings")), config)
