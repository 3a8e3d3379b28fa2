"""What makes an answer of tokens: who writes it down, how long it may be, and what else may end it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlm_ros.core.answer import Answer, AnswerForm, Finish, FreeText, Regex
from vlm_ros.core.clock import Clock
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.language.language import Language
from vlm_ros.language.stopping import TextCutter
from vlm_ros.language.tokenizer import TextStream
from vlm_ros.models.decoder import Decoder
from vlm_ros.models.model import OnText, Stop


@dataclass(frozen=True)
class Speaker:
    """What answers are made with; it is the same for all frames and holds no state of any answer."""

    language: Language
    decoder: Decoder
    max_tokens: int
    clock: Clock


class AnswerWriter:
    """Turns tokens into text and counts them, on the clock that starts with it.

    Free text ends where the model's own mark of an end stands in it.
    """

    def __init__(self, speaker: Speaker, form: AnswerForm, on_text: OnText | None = None) -> None:
        self._form = form
        self._constrainer = speaker.language.constrainer
        self._clock = speaker.clock
        self._start_s = speaker.clock()
        self._stream = TextStream(speaker.language.tokenizer, trim=not isinstance(form, Regex))
        self._cutter = TextCutter(speaker.language.stop_texts if isinstance(form, FreeText) else ())
        self._on_text = on_text
        self._text = ""
        self._tokens = 0
        self._first_token_s: float | None = None

    @property
    def stopped(self) -> bool:
        """Whether the text has come to its mark."""
        return self._cutter.stopped

    def write(self, tokens: Sequence[int]) -> None:
        """Go on with ``tokens``."""
        if self._first_token_s is None:
            self._first_token_s = self._clock() - self._start_s
        self._tokens += len(tokens)
        self._show(self._cutter.push(self._stream.push(tokens)))

    def answer(self, frame: Frame, finish: Finish, confidence: float) -> Answer:
        """All that was written, as an answer about ``frame``."""
        self._show(self._cutter.rest())
        total_s = self._clock() - self._start_s
        first_token_s = total_s if self._first_token_s is None else self._first_token_s
        finish = Finish.STOP if self.stopped else finish
        text = self._text.rstrip() if self.stopped else self._text
        return Answer(
            self._constrainer.meant(self._form, text) if finish is Finish.STOP else text,
            finish,
            self._tokens,
            confidence,
            first_token_s,
            total_s,
            frame.stamp_ns,
            frame.frame_id,
        )

    def _show(self, piece: str) -> None:
        self._text += piece
        if piece and self._on_text is not None:
            self._on_text(piece)


def token_limit(form: AnswerForm, max_tokens: int) -> int:
    """How many tokens an answer of ``form`` may have; ``BadQuestion`` where it may have none."""
    limit = form.max_tokens if isinstance(form, FreeText) and form.max_tokens is not None else max_tokens
    if limit < 1:
        raise BadQuestion(f"an answer of at most {limit} tokens is none: allow one or more")
    return limit


def ended_by(writer: AnswerWriter, clock: Clock, deadline_s: float | None, stop: Stop) -> Callable[[], Finish | None]:
    """Asks what ends the answer of ``writer`` now: its own text, ``stop``, or the deadline, in seconds from now."""
    end_s = float("inf") if deadline_s is None else clock() + deadline_s

    def ended() -> Finish | None:
        if writer.stopped:
            return Finish.STOP
        # ``stop`` may take its time, with a question of its own: the deadline is looked at after it.
        if stop():
            return Finish.CANCELLED
        return Finish.DEADLINE if clock() >= end_s else None

    return ended
