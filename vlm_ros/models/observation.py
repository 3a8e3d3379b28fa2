"""One frame and the questions about it: the way of every family that puts the image in front of the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlm_ros.core.answer import Answer, AnswerForm, Finish, FreeText, Regex
from vlm_ros.core.clock import Clock
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.language.language import Language
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.language.tokenizer import TextStream
from vlm_ros.models.decoder import Branch, Decoder
from vlm_ros.models.decoding import decode
from vlm_ros.models.model import OnText, Stop, never
from vlm_ros.runtime.kv_cache import KvCache

ReadImage = Callable[[Frame, Sequence[int]], KvCache]
"""The cache after the given tokens and the image of the frame."""


@dataclass(frozen=True)
class Speaker:
    """What answers are made with; it is the same for all frames and holds no state of any answer."""

    language: Language
    decoder: Decoder
    max_tokens: int
    clock: Clock


class PrefixObservation:
    """A frame whose image prefix is computed at the first question and shared by all that follow.

    Answers may interleave: a question may be asked from within the ``stop`` of another.
    """

    def __init__(self, frame: Frame, speaker: Speaker, read_image: ReadImage) -> None:
        self._frame = frame
        self._speaker = speaker
        self._read_image = read_image
        self._prefixes: dict[tuple[int, ...], KvCache] = {}

    @property
    def frame(self) -> Frame:
        """The frame that was observed."""
        return self._frame

    def ask(
        self,
        question: str,
        form: AnswerForm,
        *,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        stop: Stop = never,
    ) -> Answer:
        """Decode one answer of ``form``, as ``models.model.Observation`` says."""
        speaker = self._speaker
        writer = _Writer(speaker, form, on_text)
        prompt = speaker.language.prompts.encode(question)
        finish, confidence = decode(
            Branch(speaker.decoder, lambda: self._prefix(prompt)),
            prompt.after,
            end_ids=speaker.language.end_ids,
            limit=_limit(form, speaker.max_tokens),
            constraint=speaker.language.constrainer.constraint(form),
            ended=_ended(speaker.clock, deadline_s, stop),
            on_tokens=writer.write,
        )
        return writer.answer(self._frame, finish, confidence)

    def _prefix(self, prompt: Prompt) -> KvCache:
        """The shared cache that ``prompt`` starts from; most templates give all questions the same."""
        if prompt.before not in self._prefixes:
            self._prefixes = {prompt.before: self._read_image(self._frame, prompt.before)}
        prefix = self._prefixes[prompt.before]
        tokens = prefix.tokens + len(prompt.after)
        context = self._speaker.decoder.context_tokens
        if tokens > context:
            raise BadQuestion(f"image and question take {tokens} tokens, the model reads {context}: ask more shortly")
        return prefix


class _Writer:
    """Turns tokens into text and counts them, on the clock that starts with it."""

    def __init__(self, speaker: Speaker, form: AnswerForm, on_text: OnText | None) -> None:
        self._clock = speaker.clock
        self._start_s = speaker.clock()
        self._stream = TextStream(speaker.language.tokenizer, trim=not isinstance(form, Regex))
        self._on_text = on_text
        self._tokens = 0
        self._first_token_s: float | None = None

    def write(self, tokens: Sequence[int]) -> None:
        if self._first_token_s is None:
            self._first_token_s = self._clock() - self._start_s
        self._tokens += len(tokens)
        piece = self._stream.push(tokens)
        if piece and self._on_text is not None:
            self._on_text(piece)

    def answer(self, frame: Frame, finish: Finish, confidence: float) -> Answer:
        total_s = self._clock() - self._start_s
        first_token_s = total_s if self._first_token_s is None else self._first_token_s
        return Answer(
            self._stream.text,
            finish,
            self._tokens,
            confidence,
            first_token_s,
            total_s,
            frame.stamp_ns,
            frame.frame_id,
        )


def _limit(form: AnswerForm, max_tokens: int) -> int:
    limit = form.max_tokens if isinstance(form, FreeText) and form.max_tokens is not None else max_tokens
    if limit < 1:
        raise BadQuestion(f"an answer of at most {limit} tokens is none: allow one or more")
    return limit


def _ended(clock: Clock, deadline_s: float | None, stop: Stop) -> Callable[[], Finish | None]:
    end_s = float("inf") if deadline_s is None else clock() + deadline_s

    def ended() -> Finish | None:
        # ``stop`` may take its time, with a question of its own: the deadline is looked at after it.
        if stop():
            return Finish.CANCELLED
        return Finish.DEADLINE if clock() >= end_s else None

    return ended
