"""One frame and the questions about it: the way of every family that puts the image in front of the question."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vlm_ros.core.answer import Answer, AnswerForm
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.language.prompt_encoder import Prompt
from vlm_ros.models.answering import AnswerWriter, Speaker, ended_by, token_limit
from vlm_ros.models.decoder import Branch
from vlm_ros.models.decoding import decode
from vlm_ros.models.free_rules import FollowedRules
from vlm_ros.models.model import OnText, Stop, never
from vlm_ros.runtime.kv_cache import KvCache


@dataclass(frozen=True)
class Prefix:
    """The ``cache`` after the ``tokens`` that the decoder has read, the picture's included."""

    cache: KvCache
    tokens: Sequence[int]


ReadImage = Callable[[Frame, Sequence[int]], Prefix]
"""What stands before a question: the given tokens and the image of the frame."""


class PrefixObservation:
    """A frame whose image prefix is computed at the first question and shared by all that follow.

    Answers may interleave: a question may be asked from within the ``stop`` of another.
    """

    def __init__(self, frame: Frame, speaker: Speaker, read_image: ReadImage) -> None:
        self._frame = frame
        self._speaker = speaker
        self._read_image = read_image
        self._prefixes: dict[tuple[int, ...], Prefix] = {}

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
        writer = AnswerWriter(speaker, form, on_text)
        prompt = speaker.language.prompts.encode(question)
        rules = FollowedRules(speaker.language.free_rules, speaker.language.end_ids)

        def begun() -> KvCache:
            prefix = self._prefix(prompt)
            rules.read((*prefix.tokens, *prompt.after))
            return prefix.cache

        finish, confidence = decode(
            Branch(speaker.decoder, begun),
            prompt.after,
            end_ids=speaker.language.end_ids,
            limit=token_limit(form, speaker.max_tokens),
            constraint=speaker.language.constrainer.constraint(form),
            ended=ended_by(writer, speaker.clock, deadline_s, stop),
            on_tokens=writer.write,
            rules=rules,
        )
        return writer.answer(self._frame, finish, confidence)

    def _prefix(self, prompt: Prompt) -> Prefix:
        """The shared prefix that ``prompt`` starts from; most templates give all questions the same."""
        if prompt.before not in self._prefixes:
            self._prefixes = {prompt.before: self._read_image(self._frame, prompt.before)}
        prefix = self._prefixes[prompt.before]
        check_room(prefix.cache.tokens + len(prompt.after), self._speaker)
        return prefix


def check_room(tokens: int, speaker: Speaker) -> None:
    """``BadQuestion`` where a prompt of ``tokens`` is longer than the model reads."""
    context = speaker.decoder.context_tokens
    if tokens > context:
        raise BadQuestion(f"image and question take {tokens} tokens, the model reads {context}: ask more shortly")
