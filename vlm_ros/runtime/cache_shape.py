"""Where a cached tensor counts its tokens, read from its shape.

Most decoders keep (batch, heads, tokens, head size); some (batch, tokens, heads, head size), keys and values in one
tensor with a leading 2, or all layers in one. Sizes that the graph fixes are taken from it; of those that it leaves
open one is the batch, and one is the number of tokens. A layer without attention keeps states of a fixed size instead:
the last inputs of a convolution, or what a recurrence has summed up. They begin as zeros.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.runner import Dimension, TensorSpec

_TOKEN_WORDS = ("past", "seq", "token", "total", "length")
_BATCH_WORDS = ("batch", "bsz")
_STATE_WORDS = ("conv", "ssm", "recurrent")


def token_axis(past: TensorSpec, present: TensorSpec) -> int | None:
    """The axis of ``past`` along which tokens follow each other, ``None`` for a state of fixed size.

    ``BadBundle`` where the shape does not tell.
    """
    if len(past.shape) != len(present.shape):
        raise _refused(past, f"its continuation '{present.name}' has {present.shape}")
    if any(word in past.name for word in _STATE_WORDS):
        return None
    named = _named_dimensions(past)
    is_open = [axis for axis in range(len(past.shape)) if isinstance(_size(past, present, axis), str)]
    batch = _batch_axis(named, is_open)
    candidates = [axis for axis in is_open if axis != batch]
    if not candidates and "state" in past.name:
        return None
    if len(candidates) > 1:
        candidates = [axis for axis in candidates if any(word in named[axis] for word in _TOKEN_WORDS)]
    if len(candidates) != 1:
        raise _refused(past, "its number of tokens is not told from its other sizes")
    return candidates[0]


def empty_cache(past: TensorSpec, present: TensorSpec) -> NDArray[np.generic]:
    """What ``past`` is before the first token, for one sequence: without tokens, or a state of zeros."""
    tokens = token_axis(past, present)
    sizes = [_size(past, present, axis) for axis in range(len(past.shape))]
    is_open = [axis for axis, size in enumerate(sizes) if isinstance(size, str)]
    batch = _batch_axis(_named_dimensions(past), is_open)
    if tokens is not None:
        sizes[tokens] = 0
    elif batch is None and is_open:
        batch = is_open[0]
    if batch is not None:
        sizes[batch] = 1
    if any(isinstance(size, str) for size in sizes):
        raise _refused(past, "it leaves more open than the batch and the number of tokens")
    return np.zeros([int(size) for size in sizes], past.dtype)


def _batch_axis(named: list[str], is_open: list[int]) -> int | None:
    """The axis of the batch, by its name or as the first of several that are open; ``None`` where it is fixed."""
    by_name = [axis for axis in is_open if any(word in named[axis] for word in _BATCH_WORDS)]
    if by_name:
        return by_name[0]
    unlikely = len(is_open) < 2 or any(word in named[is_open[0]] for word in _TOKEN_WORDS)
    return None if unlikely else is_open[0]


def _size(past: TensorSpec, present: TensorSpec, axis: int) -> Dimension:
    """The size that either of the two fixes: an exporter may fold a constant into one of them only."""
    return past.shape[axis] if isinstance(past.shape[axis], int) else present.shape[axis]


def _named_dimensions(spec: TensorSpec) -> list[str]:
    """What the graph calls its sizes, empty where it does not: runners then name them after the tensor."""
    return [
        "" if isinstance(size, int) or size == f"{spec.name}_{axis}" else size for axis, size in enumerate(spec.shape)
    ]


def _refused(past: TensorSpec, why: str) -> BadBundle:
    return BadBundle(
        f"the decoder's '{past.name}' has shape {past.shape}: {why}; export it as "
        "(batch, heads, tokens, head size) with fixed heads and head size"
    )
