"""Whether a prompt that is filled up on the left is answered as it is alone, found by running it.

The mask promises so. Operators that take from it how many tokens there are, and not which, look at the filling instead:
ONNX Runtime's GroupQueryAttention does, as its users feed it.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BuildFailed
from vlm_ros.models.decoder import Decoder
from vlm_ros.models.embedding import Embeddings

_FILLING = 3
"""So many places are filled up."""

_SHARE = 0.1
"""What a hidden filling may change, of what it changes when it is shown: numbers may be rounded otherwise."""


def hides_filling(decoder: Decoder, words: Sequence[int]) -> bool:
    """Whether the mask of ``decoder``, which takes two rows or more, hides what fills a row up; ``words`` are any two.

    The last of them follows as the answer would. A graph that fails on two rows, whatever it says to take, does not.
    """
    prompt, following = decoder.embed(words[:-1]), decoder.embed(words[-1:])
    filled = np.concatenate([np.zeros_like(prompt[:, :1]).repeat(_FILLING, axis=1), prompt], axis=1)
    alone = _logits(decoder, prompt, following, (0,))
    try:
        hidden, shown = _logits(decoder, filled.repeat(2, axis=0), following.repeat(2, axis=0), (_FILLING, 0))
    except BuildFailed:
        return False
    return bool(np.abs(hidden - alone).max() <= _SHARE * np.abs(shown - alone).max())


def _logits(
    decoder: Decoder, prompts: Embeddings, following: Embeddings, padding: tuple[int, ...]
) -> NDArray[np.float32]:
    """The logits (rows, vocabulary) after ``prompts``, each without its ``padding``, and what is ``following`` them."""
    _, cache = decoder.step_rows(prompts, decoder.begin_rows(len(prompts)), padding)
    return decoder.step_rows(following, cache, padding)[0]
