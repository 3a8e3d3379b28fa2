"""How ``generation_config.json`` bends free answers: what is followed, and what is not.

For BLIP-2 it does not: transformers does not look into the file for its text model.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import Any

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle

_log = logging.getLogger(__name__)

BLIP2 = "blip-2"
"""The type of models to whose text model transformers does not tell what the file says."""

_FILE = "generation_config.json"

_NOT_FOLLOWED = {
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1,
    "exponential_decay_length_penalty": None,
    "forced_eos_token_id": None,
    "guidance_scale": 1,
    "num_beams": 1,
    "sequence_bias": None,
    "token_healing": False,
    "watermarking_config": None,
}
"""What changes answers in transformers even where it takes the likeliest token, and the value that changes none.

``forced_bos_token_id`` changes none behind a prompt of more than one token, which a picture always makes.
"""


@dataclass(frozen=True)
class FreeRules:
    """What transformers' settings of these names ask of free answers; as they are here, nothing.

    Numbers that stand for no token are harmless, as there. ``min_length`` counts the prompt, the picture's tokens
    included, and holds only where ``min_new_tokens`` is ``None``.
    """

    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    bad_words_ids: tuple[tuple[int, ...], ...] = ()
    min_length: int = 0
    min_new_tokens: int | None = None
    suppress_tokens: tuple[int, ...] = ()
    begin_suppress_tokens: tuple[int, ...] = ()


def free_rules(bundle: Bundle) -> FreeRules:
    """What ``bundle`` asks of free answers; ``BadBundle`` naming a setting that makes no sense."""
    settings = _settings(bundle)
    least = settings.get("min_new_tokens")
    return FreeRules(
        _penalty(settings),
        _count(settings, "no_repeat_ngram_size"),
        _bad_words(settings),
        _count(settings, "min_length"),
        None if least is None else _count(settings, "min_new_tokens"),
        _tokens(settings, "suppress_tokens"),
        _tokens(settings, "begin_suppress_tokens"),
    )


def warn_of_what_is_not_followed(bundle: Bundle) -> None:
    """One warning that names what else would change free answers in transformers."""
    settings = _settings(bundle)
    names = [name for name, neutral in _NOT_FOLLOWED.items() if settings.get(name) not in (None, [], {}, neutral)]
    if names:
        _log.warning(
            "%s of '%s' has %s, which are not followed: free answers may differ from those of transformers",
            _FILE,
            bundle.folder,
            names,
        )


def _penalty(settings: dict[str, Any]) -> float:
    found = settings.get("repetition_penalty")
    if found is None:
        return 1.0
    if type(found) not in (int, float) or not 0 < found < math.inf:
        raise _refused("repetition_penalty", found, "a number above 0")
    return float(found)


def _count(settings: dict[str, Any], name: str) -> int:
    found = settings.get(name) or 0
    if type(found) is not int or found < 0:
        raise _refused(name, found, "a number of tokens")
    return found


def _tokens(settings: dict[str, Any], name: str) -> tuple[int, ...]:
    found = settings.get(name) or []
    if not _are_tokens(found):
        raise _refused(name, found, "a list of numbers of tokens")
    return tuple(found)


def _bad_words(settings: dict[str, Any]) -> tuple[tuple[int, ...], ...]:
    found = settings.get("bad_words_ids") or []
    if not isinstance(found, list) or not all(word and _are_tokens(word) for word in found):
        raise _refused("bad_words_ids", found, "a list of lists of numbers of tokens")
    return tuple(tuple(word) for word in found)


def _are_tokens(found: Any) -> bool:
    return isinstance(found, list) and all(type(number) is int for number in found)


def _refused(name: str, found: Any, expected: str) -> BadBundle:
    return BadBundle(f"{_FILE} has '{name}': {found!r}, expected {expected}")


def _settings(bundle: Bundle) -> dict[str, Any]:
    return {} if bundle.optional_json("config.json").get("model_type") == BLIP2 else bundle.optional_json(_FILE)
