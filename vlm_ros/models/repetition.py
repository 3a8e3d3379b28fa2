"""What holds a model back from saying again what it has read or said."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

import numpy as np

from vlm_ros.models.decoder import Logits


class RepetitionPenalty:
    """What transformers calls ``repetition_penalty``: tokens that stood before become less likely by ``factor``.

    With a factor of 1 nothing does, and below 1 they become likelier. It is of one answer and its prompt, the
    picture's tokens included.
    """

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._stood: set[int] = set()

    def add(self, tokens: Iterable[int]) -> None:
        """From now on ``tokens`` have stood before."""
        if self._factor != 1:
            self._stood.update(tokens)

    def applied(self, logits: Logits) -> Logits:
        """``logits`` with the penalty; tokens without one, as pictures' may be, cannot be said anyway."""
        stood = [token for token in self._stood if token < len(logits)]
        if not stood:
            return logits
        penalised = logits.copy()
        scores = logits[stood]
        penalised[stood] = np.where(scores < 0, scores * self._factor, scores / self._factor)
        return penalised


class Phrases:
    """What transformers calls ``no_repeat_ngram_size``: of ``size`` tokens in a row, none stands there twice.

    With a size of 0 all may. They are those of one answer and its prompt.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._last: deque[int] = deque(maxlen=max(size - 1, 0))
        self._followers: defaultdict[tuple[int, ...], set[int]] = defaultdict(set)

    def add(self, tokens: Iterable[int]) -> None:
        """``tokens`` come after all that came before."""
        if not self._size:
            return
        for token in tokens:
            if len(self._last) == self._size - 1:
                self._followers[tuple(self._last)].add(token)
            self._last.append(token)

    def completing(self) -> AbstractSet[int]:
        """The tokens that would complete what has stood before."""
        return self._followers.get(tuple(self._last), set())
