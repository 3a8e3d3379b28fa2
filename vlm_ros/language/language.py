"""All that one model says and hears, read from its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.language.chat_template import ChatTemplate, template_source_from_bundle
from vlm_ros.language.constraint import Constrainer
from vlm_ros.language.prompt_encoder import PromptEncoder
from vlm_ros.language.tokenizer import Tokenizer


@dataclass(frozen=True)
class Language:
    """``end_ids`` are the tokens that end an answer."""

    tokenizer: Tokenizer
    prompts: PromptEncoder
    constrainer: Constrainer
    end_ids: frozenset[int]


def language_from_bundle(bundle: Bundle, image_id: int) -> Language:
    """The language of ``bundle``, whose prompts mark the image's place with the token ``image_id``."""
    tokenizer = Tokenizer.from_bundle(bundle)
    special_texts = {**tokenizer.special_texts, "image_token": tokenizer.text_of(image_id)}
    template = ChatTemplate(template_source_from_bundle(bundle), special_texts)
    end_ids = _end_ids(bundle, tokenizer)
    return Language(
        tokenizer, PromptEncoder(tokenizer, template, image_id), Constrainer(tokenizer, sorted(end_ids)), end_ids
    )


def _end_ids(bundle: Bundle, tokenizer: Tokenizer) -> frozenset[int]:
    """The first of the places that transformers looks at, in its order: one number or several."""
    places: list[Any] = [
        bundle.optional_json("generation_config.json").get("eos_token_id"),
        bundle.config.get("eos_token_id"),
        bundle.config.get("text_config", {}).get("eos_token_id"),
        tokenizer.number_of(tokenizer.special_texts.get("eos_token", "")),
    ]
    for found in places:
        if found is not None:
            return frozenset(found if isinstance(found, list) else [found])
    raise BadBundle(f"the bundle '{bundle.folder}' names no token that ends an answer: set eos_token_id in config.json")
