"""How ``generation_config.json`` bends free answers: what is followed, and what is not."""

from __future__ import annotations

import logging
import math

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


def repetition_penalty(bundle: Bundle) -> float:
    """What ``repetition_penalty`` is, 1 where there is none.

    BLIP-2's is always 1: transformers does not look into the file for its text model.
    """
    found = None if _is_unread(bundle) else bundle.optional_json(_FILE).get("repetition_penalty")
    if found is None:
        return 1.0
    if type(found) not in (int, float) or not 0 < found < math.inf:
        raise BadBundle(f"{_FILE} has 'repetition_penalty': {found!r}, expected a number above 0")
    return float(found)


def warn_of_what_is_not_followed(bundle: Bundle) -> None:
    """One warning that names what else would change free answers in transformers."""
    settings = {} if _is_unread(bundle) else bundle.optional_json(_FILE)
    names = [name for name, neutral in _NOT_FOLLOWED.items() if settings.get(name) not in (None, [], {}, neutral)]
    if names:
        _log.warning(
            "%s of '%s' has %s, which are not followed: free answers may differ from those of transformers",
            _FILE,
            bundle.folder,
            names,
        )


def _is_unread(bundle: Bundle) -> bool:
    return bundle.optional_json("config.json").get("model_type") == "blip-2"
