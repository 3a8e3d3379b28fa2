"""How many tokens of a prompt go through a decoder in one run, so that memory does not grow with its square.

A graph whose attention is written out holds a score for each head, each token that is read and each that it may look
at, in several copies. Through a cache, a prompt in pieces gives the same keys, values and logits as in one.
"""

from __future__ import annotations

import math

MOST_SCORES = 1 << 20
"""Of one head in a run: a prompt begins with 1024 tokens, and goes on with 256 behind 3840 others.

With 32 heads a prompt of 4096 tokens then takes .7 GB at its peak on ONNX Runtime; in one run it took 9.8 GB.
"""

BRANCH_TOKENS = 2048
"""The longest beginning where all that follows goes token by token: graphs with a branch for prompts, without a past.
"""


def piece_tokens(seen: int, rows: int = 1) -> int:
    """The most tokens that one run reads of each of ``rows`` prompts, behind ``seen`` tokens; at least one."""
    return max(1, (math.isqrt(seen * seen + 4 * MOST_SCORES // rows) - seen) // 2)
