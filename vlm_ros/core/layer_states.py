"""Layers of a text model that keep states of a fixed size instead of keys and values for every token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONVOLUTION, RECURRENCE = "conv", "recurrent"
"""The last inputs of a causal convolution (channels, kernel), and what a recurrence sums up (heads, keys, values)."""

_SIZES = {
    "conv": ("hidden_size", "conv_L_cache"),
    "linear_attention": (
        "linear_num_key_heads",
        "linear_num_value_heads",
        "linear_key_head_dim",
        "linear_value_head_dim",
        "linear_conv_kernel_dim",
    ),
}
"""By the kind of a layer: what its configuration says of it."""


def state_shapes(text: Mapping[str, Any], kind: str) -> dict[str, tuple[int, ...]]:
    """The states that a layer of ``kind`` keeps in the text model of the configuration ``text``, without the batch.

    Empty for a layer that attends, and for one of whose sizes ``text`` does not tell all.
    """
    sizes = [int(text.get(name) or 0) for name in _SIZES.get(kind, ())]
    if not sizes or 0 in sizes:
        return {}
    if kind == "conv":
        return {CONVOLUTION: tuple(sizes)}
    keys, values, key_width, value_width, kernel = sizes
    channels = 2 * keys * key_width + values * value_width
    return {CONVOLUTION: (channels, kernel), RECURRENCE: (values, key_width, value_width)}
