"""What is wrong with a ``config.json`` before anybody relies on it: only what is read here is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vlm_ros.core.errors import BadBundle

_OBJECTS = ("text_config", "llm_config", "vision_config", "qformer_config")
_LARGEST = 1 << 31
_NUMBERS = ("image_token_index", "image_token_id")


def check_config(config: Mapping[str, Any], source: object) -> None:
    """``BadBundle`` naming the key of ``config``, read from ``source``, that is not what it should be."""
    for key in _OBJECTS:
        if config.get(key) and not isinstance(config[key], Mapping):
            raise _refused(source, key, config[key], "an object")
    for key in _NUMBERS:
        if not _is_number(config.get(key, 0)):
            raise _refused(source, key, config[key], "the number of a token")
    for place in (config, *(config.get(key) or {} for key in _OBJECTS)):
        _check_context(place, source)
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list) or not all(isinstance(name, str) for name in architectures):
        raise _refused(source, "architectures", architectures, "a list of names")


def _check_context(place: Mapping[str, Any], source: object) -> None:
    context = place.get("max_position_embeddings") or 1
    if not _is_number(context) or context < 1:
        raise _refused(source, "max_position_embeddings", context, "a number of tokens")


def _is_number(value: object) -> bool:
    """Whether nothing is said, or a number that counts or names tokens; negative ones stand for none."""
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST)


def _refused(source: object, key: str, value: object, expected: str) -> BadBundle:
    return BadBundle(f"'{source}' has '{key}': {value!r}, expected {expected}; correct it, or copy it again")
