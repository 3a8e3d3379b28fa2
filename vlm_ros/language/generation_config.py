"""How ``generation_config.json`` bends free answers: what is followed, and what is not.

For BLIP-2 it does not: transformers does not look into the file for its text model.
"""

from __future__ import annotations

import logging
import math
from typing import Any

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle

_log = logging.getLogger(__name__)

_FILE = "generation_config.json"

_NOT_FOLLOWED = {
    "bad_words_ids": None,
    "begin_suppress_tokens": None,
    "encoder_no_repeat_ngram_size": 0,
    "encoder_repetition_penalty": 1,
    "exponential_decay_length_penalty": None,
    "forced_eos_token_id": None,
    "guidance_scale": 1,
    "min_length": 0,
    "min_new_tokens": 0,
    "no_repeat_ngram_size": 0,
    "num_beams": 1,
    "sequence_bias": None,
    "token_healing": False,
    "watermarking_config": None,
}
"""What changes answers in transformers even where it takes the likeliest token, and the value that changes none."""


def suppressed_ids(bundle: Bundle, vocabulary: int) -> tuple[int, ...]:
    """What transformers calls ``suppress_tokens``: as there, numbers without a token suppress nothing."""
    found = _settings(bundle).get("suppress_tokens") or []
    if not isinstance(found, list) or not all(type(number) is int for number in found):
        raise BadBundle(f"{_FILE} has 'suppress_tokens': {found!r}, expected a list of numbers of tokens")
    return tuple(number for number in found if 0 <= number < vocabulary)


def repetition_penalty(bundle: Bundle) -> float:
    """What ``repetition_penalty`` is, 1 where there is none."""
    found = _settings(bundle).get("repetition_penalty")
    if found is None:
        return 1.0
    if type(found) not in (int, float) or not 0 < found < math.inf:
        raise BadBundle(f"{_FILE} has 'repetition_penalty': {found!r}, expected a number above 0")
    return float(found)


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


def _settings(bundle: Bundle) -> dict[str, Any]:
    return {} if bundle.optional_json("config.json").get("model_type") == "blip-2" else bundle.optional_json(_FILE)
