"""Texts for a text encoder: several at once, the short ones padded at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.text import check_text
from vlm_ros.language.tokenizer import Tokenizer


@dataclass(frozen=True)
class TextBatch:
    """Token numbers and which of them count (1), each of shape (texts, tokens)."""

    input_ids: NDArray[np.int64]
    attention_mask: NDArray[np.int64]


class TextBatcher:
    """Encodes texts for a model that reads at most ``limit`` tokens of each, those that frame it included."""

    def __init__(self, tokenizer: Tokenizer, limit: int) -> None:
        self._tokenizer = tokenizer
        self._limit = limit
        frame = tokenizer.encode("", frame=True)
        unknown = tokenizer.number_of(tokenizer.special_texts.get("unk_token", ""))
        # Words that the vocabulary lacks do not steer the model, unless one token stands for them and for an end.
        self._steering = tokenizer.special_ids - ({unknown} - set(frame))
        self._frame = self._control(frame)
        self._pad_id = _pad_id(tokenizer)

    def __call__(self, texts: Sequence[str], length: int = 0) -> TextBatch:
        """The tokens of ``texts``, at least ``length`` of each with the padding; ``BadQuestion`` as in ``encode``."""
        rows = [self.encode(text) for text in texts]
        length = max(length, *map(len, rows))
        numbers = np.full((len(rows), length), self._pad_id, np.int64)
        mask = np.zeros((len(rows), length), np.int64)
        for place, row in enumerate(rows):
            numbers[place, : len(row)], mask[place, : len(row)] = row, 1
        return TextBatch(numbers, mask)

    def encode(self, text: str) -> list[int]:
        """The tokens of ``text`` in their frame.

        ``BadQuestion`` where nothing is left of it, it is too long, or it holds what the model reads as a control
        token.
        """
        check_text(text, "text")
        numbers = self._tokenizer.encode(text, frame=True)
        strange = Counter(self._control(numbers)) - Counter(self._frame)
        if strange:
            words = [self._tokenizer.text_of(number) for number in strange]
            raise BadQuestion(f"the text holds {words}, which this model reads as control tokens: leave them out")
        if len(numbers) <= len(self._frame) or not text.strip():
            raise BadQuestion(f"the text {text[:20]!r} is empty, or nothing that this model reads: give words")
        if len(numbers) > self._limit:
            raise BadQuestion(
                f"the text '{text[:40]}...' takes {len(numbers)} tokens, the model reads {self._limit}: shorten it"
            )
        return numbers

    def _control(self, numbers: Sequence[int]) -> list[int]:
        return [number for number in numbers if number in self._steering]


def _pad_id(tokenizer: Tokenizer) -> int:
    """What fills a row up; any token will do where the mask hides it, or where nothing looks at what follows."""
    return tokenizer.number_of(tokenizer.special_texts.get("pad_token", "")) or 0
