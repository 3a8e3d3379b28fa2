"""The rules of ``generation_config.json`` while one free answer is decoded, as transformers' ``generate`` has them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np

from vlm_ros.language.generation_config import FreeRules
from vlm_ros.models.decoder import Logits
from vlm_ros.models.repetition import Phrases, RepetitionPenalty


class FollowedRules:
    """``rules`` for one answer that tokens among ``end_ids`` end: it is told of all tokens, in their order."""

    def __init__(self, rules: FreeRules, end_ids: AbstractSet[int]) -> None:
        self._rules = rules
        self._end_ids = end_ids
        self._penalty = RepetitionPenalty(rules.repetition_penalty)
        self._phrases = Phrases(rules.no_repeat_ngram_size)
        self._bad_words = [word for word in rules.bad_words_ids if len(word) > 1 or word[0] not in end_ids]
        self._tokens: list[int] = []
        self._prompt_tokens = 0

    def read(self, prompt: Sequence[int]) -> None:
        """``prompt`` is read, the picture's tokens included."""
        self.say(prompt)
        self._prompt_tokens += len(prompt)

    def say(self, tokens: Sequence[int]) -> None:
        """The answer goes on with ``tokens``."""
        self._tokens.extend(tokens)
        self._penalty.add(tokens)
        self._phrases.add(tokens)

    def applied(self, logits: Logits) -> Logits:
        """``logits`` of the next token, as the rules leave them."""
        logits = self._penalty.applied(logits)
        banned = [token for token in self._banned() if 0 <= token < len(logits)]
        if banned:
            logits = logits.copy()
            logits[banned] = -np.inf
        return logits

    def _banned(self) -> Iterator[int]:
        rules, said = self._rules, len(self._tokens) - self._prompt_tokens
        yield from rules.suppress_tokens
        if said == 0:
            yield from rules.begin_suppress_tokens
        if (len(self._tokens) < rules.min_length) if rules.min_new_tokens is None else said < rules.min_new_tokens:
            yield from self._end_ids
        yield from self._phrases.completing()
        yield from (word[-1] for word in self._bad_words if self._ends_with(word[:-1]))

    def _ends_with(self, tokens: tuple[int, ...]) -> bool:
        return tuple(self._tokens[len(self._tokens) - len(tokens) :]) == tokens
