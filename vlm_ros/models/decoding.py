"""Greedy decoding: the likeliest allowed token, again and again, until something ends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.answer import Finish
from vlm_ros.core.errors import BuildFailed
from vlm_ros.language.constraint import Constraint
from vlm_ros.models.decoder import Branch, Logits

OnTokens = Callable[[Sequence[int]], None]
"""Called with each run of tokens as it is decided."""

Ended = Callable[[], Finish | None]
"""Asked before each run of the decoder: why to end now, ``None`` to go on."""


def decode(
    branch: Branch,
    prompt: Sequence[int],
    *,
    end_ids: AbstractSet[int],
    limit: int,
    constraint: Constraint | None,
    ended: Ended,
    on_tokens: OnTokens,
) -> tuple[Finish, float]:
    """Decode at most ``limit`` tokens after ``prompt``; returns why it ended and the confidence.

    Tokens that the constraint forces are fed together with the one before them, in one run.
    """
    pending: Sequence[int] = prompt
    count = 0
    probabilities: list[float] = []
    while (finish := ended()) is None:
        token, probability = _likeliest(branch.feed(pending), constraint.allowed() if constraint else None)
        probabilities.append(probability)
        if token in end_ids:
            finish = Finish.STOP
            break
        pending = [token, *constraint.accept(token)] if constraint else [token]
        whole = len(pending) <= limit - count
        pending = pending[: limit - count]
        count += len(pending)
        on_tokens(pending)
        finish = _end_of(constraint, whole, count < limit and len(pending) <= branch.room)
        if finish is not None:
            break
    return finish, math.prod(probabilities) if probabilities else 0.0


def _end_of(constraint: Constraint | None, whole: bool, room: bool) -> Finish | None:
    if whole and constraint is not None and constraint.finished:
        return Finish.STOP
    return None if room else Finish.LENGTH


def _likeliest(logits: Logits, allowed: NDArray[np.intp] | None) -> tuple[int, float]:
    """The token with the highest logit among ``allowed``, and its probability among them."""
    scores = logits if allowed is None else logits[allowed]
    best = int(scores.argmax())
    probability = 1.0 / float(np.exp(scores - scores[best]).sum())
    if not math.isfinite(probability):
        raise BuildFailed("the decoder gives logits that are not numbers: build it at a higher precision")
    return (best if allowed is None else int(allowed[best])), probability
