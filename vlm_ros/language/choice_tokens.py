"""Choices as rows of tokens, for vocabularies whose tokens do not spell out every space (WordPiece)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.answer import AnswerForm, Choices, FreeText
from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.text import check_text
from vlm_ros.language.tokenizer import Tokenizer


class TokenChoices:
    """The state of one answer that is one of ``rows``; ``end_id`` ends a row that another one continues."""

    def __init__(self, rows: Sequence[Sequence[int]], end_id: int) -> None:
        self._rows = rows
        self._end_id = end_id
        self._depth = 0

    def allowed(self) -> NDArray[np.intp]:
        """The numbers of the tokens that may come next, ascending; never empty."""
        return np.array(sorted(self._next()), np.intp)

    def accept(self, token: int) -> list[int]:
        """Go on with ``token``, and with what can only follow it; returns the latter."""
        self._step(token)
        forced = []
        while not self.finished and len(following := self._next()) == 1:
            forced.append(following.pop())
            self._step(forced[-1])
        return forced

    @property
    def finished(self) -> bool:
        """Whether nothing can follow any more."""
        return all(len(row) == self._depth for row in self._rows)

    def _next(self) -> set[int]:
        return {row[self._depth] if len(row) > self._depth else self._end_id for row in self._rows}

    def _step(self, token: int) -> None:
        self._rows = [row for row in self._rows if len(row) > self._depth and row[self._depth] == token]
        self._depth += 1


class ChoiceConstrainer:
    """Makes the constraints of a model that answers freely or with one of a few choices."""

    def __init__(self, tokenizer: Tokenizer, end_id: int) -> None:
        self._tokenizer = tokenizer
        self._end_id = end_id

    def constraint(self, form: AnswerForm) -> TokenChoices | None:
        """A fresh constraint for ``form``, ``None`` for free text; ``BadQuestion`` for other forms."""
        if isinstance(form, FreeText):
            return None
        if not isinstance(form, Choices) or isinstance(form.options, str) or not form.options:
            raise BadQuestion("this model answers freely or with one of a few choices: give no pattern and no schema")
        return TokenChoices([self._row(option) for option in form.options], self._end_id)

    def meant(self, form: AnswerForm, text: str) -> str:
        """The option that ``text`` is when its tokens are read: a vocabulary may know no capitals."""
        if not isinstance(form, Choices):
            return text
        row = self._tokenizer.encode(text, frame=False)
        return next((option for option in form.options if self._row(option) == row), text)

    def _row(self, option: str) -> list[int]:
        check_text(option, "option")
        row = self._tokenizer.encode(option, frame=False)
        unknown = self._tokenizer.number_of(self._tokenizer.special_texts.get("unk_token", ""))
        if not row or unknown in row or self._tokenizer.special_ids.intersection(row):
            raise BadQuestion(f"the option {option!r} is empty, or holds words that this model cannot say")
        return row
