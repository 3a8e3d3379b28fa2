"""Which output of a decoder continues which of its cached inputs, whatever the two are called.

Repositories on the hub say ``past_key_values.0.key`` and ``present.0.key``; others ``past_key_0``, ``past.0.value``,
``past_0`` for both in one tensor, or ``cache.0.k``. States of layers without attention are ``past_conv.0`` and
``past_recurrent.0`` on the hub, continued by ``present_conv.0`` and so on. What remains of a name without the filling
words is its slot: the numbers of its layer, and whether it holds keys, values or a state.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.runner import TensorSpec

_FILLING = frozenset(
    ("past", "present", "cache", "caches", "cached", "new", "updated", "next", "prev", "output", "input")
    + ("out", "in", "self", "attn", "attention", "layer", "layers", "state", "states", "kv", "decoder")
)
_SAME_WORD = {"k": "key", "keys": "key", "v": "value", "values": "value"}

_NARROW = (np.dtype(np.int8), np.dtype(np.uint8))
"""Caches in 8 bits, or in 4 bits two by two; the graph itself knows their scales."""

_Slot = tuple[tuple[str, ...], frozenset[str]]


def cache_pairs(inputs: Mapping[str, TensorSpec], outputs: Mapping[str, TensorSpec]) -> dict[str, str]:
    """Each cached input with the output that continues it; ``BadBundle`` naming one that has none.

    A cached input is a tensor of floats or bytes of three or more dimensions whose name speaks of the past or a cache.
    """
    past = [name for name, spec in inputs.items() if _is_cache(spec)]
    by_slot = {_slot(name): name for name, spec in outputs.items() if len(spec.shape) > 2}
    missing = [name for name in past if _slot(name) not in by_slot]
    if not past or missing or len({_slot(name) for name in past}) < len(past):
        raise BadBundle(
            f"the decoder has {len(past)} cache inputs, of which no output continues {missing} "
            f"(inputs {list(inputs)}, outputs {list(outputs)}): export it with inputs 'past_key_values.0.key' "
            "and outputs 'present.0.key', and so on"
        )
    pairs = {name: by_slot[_slot(name)] for name in past}
    for name, present in pairs.items():
        if inputs[name].dtype != outputs[present].dtype:
            raise BadBundle(
                f"the decoder takes '{name}' as {inputs[name].dtype} and gives '{present}' as "
                f"{outputs[present].dtype}: export both in one type"
            )
    return pairs


def layer_of(name: str) -> tuple[str, ...]:
    """The numbers in the name of a cache tensor, which are those of its layer."""
    return _slot(name)[0]


def _is_cache(spec: TensorSpec) -> bool:
    speaks_of_it = "past" in spec.name or "cache" in spec.name
    return speaks_of_it and len(spec.shape) > 2 and (np.issubdtype(spec.dtype, np.floating) or spec.dtype in _NARROW)


def _slot(name: str) -> _Slot:
    words = re.findall(r"[a-z]+|[0-9]+", name.lower().replace("key_values", ""))
    meant = {_SAME_WORD.get(word, word) for word in words if not word.isdigit()}
    return tuple(word for word in words if word.isdigit()), frozenset(meant - _FILLING)
