"""How much memory lives between the layers of a decoder while it reads a prompt, from its operators and sizes.

The prompt is as long as the context, and goes through the graph in pieces as ``runtime.prompt_pieces`` cuts it.
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_ros.build.external_data import messages_of
from vlm_ros.build.protobuf import OPERATOR, integer, places, texts
from vlm_ros.build.row_memory import NUMBER_BYTES
from vlm_ros.build.text_sizes import text_sizes
from vlm_ros.runtime.paired import USE_CACHE
from vlm_ros.runtime.prompt_pieces import BRANCH_TOKENS, MOST_SCORES
from vlm_ros.runtime.score_memory import WRITTEN_OUT, score_bytes

_OPERATOR_COPIES = 2.0
_COPIES = {b"Softmax": WRITTEN_OUT, b"Attention": _OPERATOR_COPIES, b"MultiHeadAttention": _OPERATOR_COPIES}
"""How often the scores of attention lie in memory. GroupQueryAttention goes through them block by block.

Measured on ONNX Runtime 1.31 with prompts of 3300 and 3800 tokens, in pieces and in one run: 1.1 to 1.6 where
attention is ONNX's own operator; ONNX Runtime's MultiHeadAttention is taken for as much.
"""

_KEY_COPIES = 4
"""Keys turned round and scaled, and both keys and values repeated for the heads that share them."""

_KEPT_LOGITS = {b"num_logits_to_keep", b"logits_to_keep"}
"""Inputs that say for how many tokens logits are wanted, which is one."""

_INPUTS, _OUTPUTS, _DIMENSIONS, _NAME, _DIM_VALUE = (7, 11), (7, 12), (2, 1, 2, 1), 1, 1
"""Fields of onnx.proto: the ways to a model's inputs and outputs, and to sizes of one; its name, a fixed size."""


@dataclass(frozen=True)
class Attention:
    """How a decoder attends: ``copies`` of its scores lie in memory, of up to ``pairs`` of tokens for each head.

    ``logits`` are how many numbers it gives for each token that it reads; 0 where for the last alone.
    """

    copies: float = 0.0
    pairs: int = MOST_SCORES
    logits: int = 0


def attention_of(onnx: Path) -> Attention:
    """How the decoder at ``onnx`` attends; an engine of another vendor's, which does not tell, without scores."""
    try:
        with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            operators = {text for place in messages_of(content, "node") for text in texts(content, *place, OPERATOR)}
            values = places(content, (0, len(content)), *_INPUTS)
            inputs = {name for place in values for name in texts(content, *place, _NAME)}
            logits = 0 if inputs & _KEPT_LOGITS else _logits_of_each(content)
    except (ValueError, IndexError):
        return Attention()
    copies = max((_COPIES.get(operator, 0.0) for operator in operators), default=0.0)
    return Attention(copies, BRANCH_TOKENS**2 if USE_CACHE.encode() in inputs else MOST_SCORES, logits)


def prompt_bytes(config: Mapping[str, Any], attention: Attention, rows: int = 1) -> int:
    """What ``rows`` prompts over a full context take; 0 where ``config`` does not tell.

    Pieces are shorter for more of them, so that their states grow with the root, their keys with their number, and the
    scores not at all.
    """
    sizes = text_sizes(config)
    if sizes is None:
        return 0
    tokens = min(math.isqrt(attention.pairs // rows), sizes.context_tokens)
    states = tokens * (6 * sizes.width + 3 * sizes.hidden + attention.logits)
    keys = _KEY_COPIES * sizes.context_tokens * sizes.heads * sizes.head_width if attention.copies else 0
    pairs = min(attention.pairs, sizes.context_tokens**2)
    return rows * (states + keys) * NUMBER_BYTES + score_bytes(pairs, sizes.heads, attention.copies)


def _logits_of_each(content: mmap.mmap) -> int:
    """How many logits the graph in ``content`` gives for each token; 0 where their second dimension is fixed."""
    for output in places(content, (0, len(content)), *_OUTPUTS):
        sizes = [integer(content, *place, _DIM_VALUE) for place in places(content, output, *_DIMENSIONS)]
        if b"logits" in b"".join(texts(content, *output, _NAME)) and len(sizes) == 3 and not sizes[1]:
            return sizes[2]
    return 0
