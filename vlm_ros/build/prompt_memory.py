"""How much memory lives between the layers of a decoder while it reads a prompt, from its operators and sizes.

The prompt is as long as the context, and goes through the graph in pieces as ``runtime.prompt_pieces`` cuts it.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vlm_ros.build.external_data import messages_of
from vlm_ros.build.protobuf import INPUT, OPERATOR, texts
from vlm_ros.build.row_memory import NUMBER_BYTES
from vlm_ros.build.text_sizes import text_sizes
from vlm_ros.runtime.paired import USE_CACHE
from vlm_ros.runtime.prompt_pieces import BRANCH_TOKENS, MOST_SCORES, piece_tokens

_WRITTEN_OUT, _OPERATOR_COPIES = 6.0, 2.0
_COPIES = {b"Softmax": _WRITTEN_OUT, b"Attention": _OPERATOR_COPIES, b"MultiHeadAttention": _OPERATOR_COPIES}
"""How often the scores of attention lie in memory. GroupQueryAttention goes through them block by block.

Measured on ONNX Runtime 1.31 with 4 to 32 heads and prompts of 3300 and 3800 tokens, in pieces and in one run: 4.6 to
5.9 where attention is written out, whatever the precision of the weights, 1.1 to 1.6 where it is ONNX's own operator.
"""

_MASK_BYTES = 32
"""Of each pair of tokens, while the causal mask is gathered."""

_KEY_COPIES = 4
"""Keys turned round and scaled, and both keys and values repeated for the heads that share them."""


@dataclass(frozen=True)
class Attention:
    """How a decoder attends: ``copies`` of its scores lie in memory, of up to ``pairs`` of tokens for each head."""

    copies: float = 0.0
    pairs: int = MOST_SCORES


def attention_of(onnx: Path) -> Attention:
    """How the decoder at ``onnx`` attends; an engine of another vendor's, which does not tell, without scores."""
    try:
        operators, inputs = (_texts_of_nodes(onnx, field) for field in (OPERATOR, INPUT))
    except (ValueError, IndexError):
        return Attention()
    copies = max((_COPIES.get(operator, 0.0) for operator in operators), default=0.0)
    return Attention(copies, BRANCH_TOKENS**2 if USE_CACHE.encode() in inputs else MOST_SCORES)


def prompt_bytes(config: Mapping[str, Any], attention: Attention, rows: int = 1) -> int:
    """What ``rows`` prompts over a full context take; 0 where ``config`` does not tell.

    Pieces are shorter for more of them, so that only their states and keys are more, not the scores.
    """
    sizes = text_sizes(config)
    if sizes is None:
        return 0
    tokens = min(piece_tokens(0), sizes.context_tokens)
    states = tokens * (6 * sizes.width + 3 * sizes.hidden)
    keys = _KEY_COPIES * sizes.context_tokens * sizes.heads * sizes.head_width if attention.copies else 0
    pairs = min(attention.pairs, sizes.context_tokens**2)
    scores = attention.copies * sizes.heads * NUMBER_BYTES + (_MASK_BYTES if attention.copies else 0)
    return int(rows * (states + keys) * NUMBER_BYTES + pairs * scores)


def _texts_of_nodes(onnx: Path, field: int) -> set[bytes]:
    """What ``field`` of the nodes of the file at ``onnx`` says."""
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return {text for place in messages_of(content, "node") for text in texts(content, *place, field)}
