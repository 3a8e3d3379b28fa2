"""What holds a model back from saying again what it has read or said."""

from __future__ import annotations

from collections.abc import Iterable

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
