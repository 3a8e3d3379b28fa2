"""Answers that cannot be anything but what was asked for: the tokens allowed at each step of decoding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.answer import AnswerForm, Choices, FreeText, JsonSchema, Regex
from vlm_ros.core.errors import BadBundle, BadQuestion, require
from vlm_ros.language.metaspace import with_spaces_written_out
from vlm_ros.language.text import check_text
from vlm_ros.language.tokenizer import Tokenizer

llguidance = require("llguidance", "pip install llguidance")

_FORMS_KEPT = 64

_NO_TOKEN = "NoExtensionBias"
"""What the library calls an answer that is not whole, and that no token continues."""


class TokenConstraint(Protocol):
    """The state of one constrained answer, for whoever decodes it."""

    def allowed(self) -> NDArray[np.intp]:
        """The numbers of the tokens that may come next, ascending; never empty."""

    def accept(self, token: int) -> list[int]:
        """Go on with ``token``, and with what can only follow it; returns the latter."""

    @property
    def finished(self) -> bool:
        """Whether nothing can follow any more."""


class Constraint:
    """The state of one answer that a grammar constrains."""

    def __init__(self, matcher: Any) -> None:
        self._matcher = matcher

    def allowed(self) -> NDArray[np.intp]:
        """The numbers of the tokens that may come next, ascending; never empty.

        ``BadQuestion`` where the form wants a character that no token spells: the library would end the answer there.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), np.uint8)
        self._check()
        return np.flatnonzero(np.unpackbits(bits, bitorder="little"))

    def accept(self, token: int) -> list[int]:
        """Go on with ``token``, and with what can only follow it; returns the latter.

        ``BadQuestion`` where ``token`` was not allowed, or the form outgrows what can be computed.
        """
        self._matcher.consume_token(token)
        forced: list[int] = self._matcher.compute_ff_tokens()
        self._matcher.consume_tokens(forced)
        self._check()
        return forced

    @property
    def finished(self) -> bool:
        """Whether nothing can follow any more."""
        return bool(self._matcher.is_stopped())

    def _check(self) -> None:
        if self._matcher.is_error():
            reason = self._matcher.get_error().partition("\n")[0]
            reason = "this model has no token for what must come next" if reason == _NO_TOKEN else reason
            raise BadQuestion(f"the answer form cannot be followed any further: {reason}")


class Constrainer:
    """Makes the constraints of one model: its vocabulary is read once, and each answer form is compiled once."""

    def __init__(self, tokenizer: Tokenizer, end_ids: Sequence[int]) -> None:
        try:
            self._vocabulary = llguidance.LLTokenizer(
                with_spaces_written_out(tokenizer.to_json()), eos_token=list(end_ids)
            )
        except Exception as error:  # the library raises plain exceptions
            raise BadBundle(f"answers cannot be constrained with this tokenizer: {error}") from error
        self._control_texts = sorted(tokenizer.text_of(number) for number in tokenizer.special_ids)
        self._matcher = lru_cache(_FORMS_KEPT)(self._compile)

    def constraint(self, form: AnswerForm) -> Constraint | None:
        """A fresh constraint for ``form``, ``None`` for free text; ``BadQuestion`` for a form that makes no sense."""
        if isinstance(form, FreeText):
            return None
        grammar = _grammar(form)
        held = [text for text in self._control_texts if text in _written(form)]
        if held:
            raise BadQuestion(f"the answer form holds {held}, which this model reads as control tokens: leave them out")
        return Constraint(self._matcher(grammar).deep_copy())

    def meant(self, form: AnswerForm, text: str) -> str:
        """``text`` itself: it was held to ``form`` letter by letter."""
        return text

    def _compile(self, grammar: str) -> Any:
        matcher = llguidance.LLMatcher(self._vocabulary, grammar, log_level=0)
        if matcher.is_error():
            raise BadQuestion(f"the answer form is not usable: {matcher.get_error()}")
        matcher.compute_bitmask()  # only then it knows whether anything can follow
        if matcher.is_stopped() and not matcher.is_accepting():
            raise BadQuestion("the answer form is not usable: no text has it")
        return matcher


def _grammar(form: Choices | Regex | JsonSchema) -> str:
    """The form in llguidance's language.

    Many models begin every answer with a space, which belongs to the vocabulary rather than to the answer: choices
    and JSON allow one in front. A pattern stands for every character, so nothing is added to it.
    """
    if isinstance(form, Regex):
        check_text(form.pattern, "regex")
        return str(llguidance.LLMatcher.grammar_from_regex(form.pattern))
    if isinstance(form, Choices):
        return f'start: " "? ANSWER\nANSWER: {_alternatives(form.options)}'
    return f'start: " "? answer\nanswer: %json {_compact(form)}'


def _written(form: Choices | Regex | JsonSchema) -> str:
    """All that a user wrote of the form."""
    if isinstance(form, Choices):
        return " ".join(form.options)
    return form.pattern if isinstance(form, Regex) else json.dumps(form.schema, ensure_ascii=False)


def _alternatives(options: Sequence[str]) -> str:
    if isinstance(options, str) or not options:
        raise BadQuestion("there is nothing to choose from: give a tuple of options")
    for option in options:
        check_text(option, "option")
        if not option or option != option.strip():
            raise BadQuestion(f"the option {option!r} is empty, or begins or ends with white space")
    return " | ".join(json.dumps(option, ensure_ascii=False) for option in options)


def _compact(form: JsonSchema) -> str:
    """The schema, with white space between the tokens of the answer forbidden."""
    try:
        return json.dumps({**form.schema, "x-guidance": {"whitespace_flexible": False}})
    except (TypeError, ValueError) as error:
        raise BadQuestion(f"the schema is not JSON: {error}") from error
