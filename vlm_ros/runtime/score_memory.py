"""How much memory the scores of attention take, which grow with the square of what is looked at."""

from __future__ import annotations

WRITTEN_OUT = 6.0
"""How often they lie in memory where attention is written out in a graph.

Measured on ONNX Runtime 1.31: 4.6 to 5.9 in decoders of 4 to 32 heads, whatever the precision of the weights, and with
their mask 6.3 in a vision tower of 2 heads over 7744 patches.
"""

_NUMBER_BYTES = 4
_MASK_BYTES = 32
"""Of each pair of tokens, while a causal mask is gathered."""


def score_bytes(pairs: int, heads: int, copies: float = WRITTEN_OUT) -> int:
    """What the scores of ``heads`` for so many ``pairs`` of tokens take with their mask, at their peak."""
    return int(pairs * (copies * heads * _NUMBER_BYTES + _MASK_BYTES)) if copies else 0
