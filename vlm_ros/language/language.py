"""All that one model says and hears, read from its bundle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from vlm_ros.core.answer import AnswerForm
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle
from vlm_ros.language.chat_template import ChatTemplate, template_source_from_bundle
from vlm_ros.language.constraint import Constrainer, TokenConstraint
from vlm_ros.language.generation_config import BLIP2, FreeRules, free_rules, warn_of_what_is_not_followed
from vlm_ros.language.prompt_encoder import Prompt, PromptEncoder
from vlm_ros.language.tokenizer import Tokenizer

_IMAGE = "<image>"
_BLIP2_ENDS = {"opt": 2, "llama": 2, "t5": 1}
"""What ends the answers of text models whose configurations leave it out."""


class Prompts(Protocol):
    """What makes a prompt of a question."""

    def encode(self, question: str) -> Prompt:
        """The prompt of ``question``; ``BadQuestion`` where it cannot be asked."""


class Constrains(Protocol):
    """What holds answers to a form."""

    def constraint(self, form: AnswerForm) -> TokenConstraint | None:
        """A fresh constraint for ``form``, ``None`` for free text; ``BadQuestion`` for a form that cannot be held."""

    def meant(self, form: AnswerForm, text: str) -> str:
        """What is meant by ``text``, a complete answer of ``form``."""


@dataclass(frozen=True)
class Language:
    """``end_ids`` end an answer; ``image_id`` marks the picture's place; ``vocabulary`` counts the model's tokens.

    ``stop_texts`` end an answer in free text, and do not belong to it; ``free_rules`` hold there.
    """

    tokenizer: Tokenizer
    prompts: Prompts
    constrainer: Constrains
    end_ids: frozenset[int]
    image_id: int
    vocabulary: int
    stop_texts: tuple[str, ...] = ()
    free_rules: FreeRules = FreeRules()


def language_from_bundle(bundle: Bundle, image_id: int | None) -> Language:
    """The language of ``bundle``, whose prompts mark the image's place with the token ``image_id``.

    Where it is ``None`` or negative, as in models that cut the text at ``<image>``, this text becomes a token.
    """
    tokenizer = Tokenizer.from_bundle(bundle)
    vocabulary = tokenizer.size
    if image_id is None or image_id < 0:
        image_id = tokenizer.number_made_of(_IMAGE)
    special_texts = {**tokenizer.special_texts, "image_token": tokenizer.text_of(image_id)}
    caption_prompt = bundle.card.describe_prompt
    special_texts["caption_prompt"] = caption_prompt
    template = ChatTemplate(template_source_from_bundle(bundle), special_texts)
    end_ids = _end_ids(bundle, tokenizer)
    prompts = PromptEncoder(tokenizer, template, image_id, end_ids=end_ids, may_be_empty=not caption_prompt)
    constrainer = Constrainer(tokenizer, sorted(end_ids))
    warn_of_what_is_not_followed(bundle)
    return Language(
        tokenizer,
        prompts,
        constrainer,
        end_ids,
        image_id,
        vocabulary,
        _stop_texts(bundle),
        free_rules(bundle),
    )


def _stop_texts(bundle: Bundle) -> tuple[str, ...]:
    """What transformers calls ``stop_strings``: one text or several."""
    found = bundle.optional_json("generation_config.json").get("stop_strings") or []
    texts = [found] if isinstance(found, str) else found
    if not isinstance(texts, list) or not all(isinstance(text, str) and text for text in texts):
        raise BadBundle(f"generation_config.json has 'stop_strings': {found!r}, expected a text or a list of texts")
    return tuple(texts)


def _end_ids(bundle: Bundle, tokenizer: Tokenizer) -> frozenset[int]:
    """The first of the places that transformers looks at, in its order: one number or several."""
    for found in (*_said_ends(bundle), tokenizer.number_of(tokenizer.special_texts.get("eos_token", ""))):
        if found is not None:
            numbers = found if isinstance(found, list) else [found]
            if not numbers or not all(type(number) is int and tokenizer.knows(number) for number in numbers):
                raise BadBundle(
                    f"the bundle '{bundle.folder}' has 'eos_token_id': {found!r}, expected the number of one of its "
                    f"{tokenizer.size} tokens, or several: correct it in generation_config.json, or in config.json"
                )
            return frozenset(numbers)
    raise BadBundle(f"the bundle '{bundle.folder}' names no token that ends an answer: set eos_token_id in config.json")


def _said_ends(bundle: Bundle) -> list[Any]:
    """What ``bundle`` says of ``eos_token_id``, ``None`` where a place does not; of BLIP-2 its text model alone."""
    config, text = bundle.config, bundle.config.get("text_config") or {}
    if config.get("model_type") == BLIP2:
        return [text.get("eos_token_id", _BLIP2_ENDS.get(text.get("model_type", "opt")))]
    own = bundle.optional_json("generation_config.json").get("eos_token_id")
    return [own, config.get("eos_token_id"), text.get("eos_token_id")]
