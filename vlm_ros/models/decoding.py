"""Greedy decoding: the likeliest allowed token, again and again, until something ends it."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.answer import Finish
from vlm_ros.core.errors import BuildFailed
from vlm_ros.language.constraint import TokenConstraint
from vlm_ros.models.decoder import Branch, Logits
from vlm_ros.models.free_rules import FollowedRules

OnTokens = Callable[[Sequence[int]], None]
"""Called with each run of tokens as it is decided."""

Ended = Callable[[], Finish | None]
"""Asked before each run of the decoder: why to end now, ``None`` to go on."""

Answering = Generator[Sequence[int], Logits, "tuple[Finish, float]"]
"""Gives tokens that go to the decoder, takes the logits after the last of them, returns the end and the confidence."""


def decode(
    branch: Branch,
    prompt: Sequence[int],
    *,
    end_ids: AbstractSet[int],
    limit: int,
    constraint: TokenConstraint | None,
    ended: Ended,
    on_tokens: OnTokens,
    rules: FollowedRules | None = None,
) -> tuple[Finish, float]:
    """Decode at most ``limit`` tokens after ``prompt``; returns why it ended and the confidence.

    Tokens that the constraint forces are fed together with the one before them, in one run. Without one,
    ``rules`` hold, which have read the prompt; they get the answer's tokens. What is allowed by a constraint is said
    whatever they ban.
    """
    answering = answer_tokens(
        prompt,
        end_ids=end_ids,
        limit=limit,
        constraint=constraint,
        ended=ended,
        on_tokens=on_tokens,
        room=lambda: branch.room,
        rules=rules,
    )
    try:
        pending = next(answering)
        while True:
            pending = answering.send(branch.feed(pending))
    except StopIteration as end:
        result: tuple[Finish, float] = end.value
        return result


def answer_tokens(
    prompt: Sequence[int],
    *,
    end_ids: AbstractSet[int],
    limit: int,
    constraint: TokenConstraint | None,
    ended: Ended,
    on_tokens: OnTokens,
    room: Callable[[], int],
    rules: FollowedRules | None = None,
) -> Answering:
    """The decisions of ``decode``, for whoever feeds the decoder; ``room`` counts what the context still takes."""
    pending: Sequence[int] = prompt
    count = 0
    probabilities: list[float] = []
    while (finish := ended()) is None:
        logits = yield pending
        if rules and not constraint:
            logits = rules.applied(logits)
        token, probability = _likeliest(logits, constraint.allowed() if constraint else None)
        probabilities.append(probability)
        if token in end_ids:
            return Finish.STOP, math.prod(probabilities)
        decided = [token, *constraint.accept(token)] if constraint else [token]
        pending = decided[: limit - count]
        count += len(pending)
        if rules:
            rules.say(pending)
        on_tokens(pending)
        if constraint and constraint.finished and pending == decided:
            return Finish.STOP, math.prod(probabilities)
        if count == limit or len(pending) > room():
            return Finish.LENGTH, math.prod(probabilities)
    return finish, math.prod(probabilities) if probabilities else 0.0


def _likeliest(logits: Logits, allowed: NDArray[np.intp] | None) -> tuple[int, float]:
    """The token with the highest logit among ``allowed``, and its probability among them."""
    scores = logits if allowed is None else logits[allowed]
    best = int(scores.argmax())
    probability = 1.0 / float(np.exp(scores - scores[best]).sum())
    if not math.isfinite(probability):
        raise BuildFailed("the decoder gives logits that are not numbers: build it at a higher precision")
    return (best if allowed is None else int(allowed[best])), probability
