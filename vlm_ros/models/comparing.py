"""One frame and the questions that a model answers which compares and does not speak."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from vlm_ros.core.answer import Answer, AnswerForm, Choices, Finish
from vlm_ros.core.card import ModelCard
from vlm_ros.core.clock import Clock
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept, unreadable
from vlm_ros.language.prompts import question_about
from vlm_ros.language.text import check_text
from vlm_ros.models.finding import Region, crop, percept_from_scores, regions
from vlm_ros.models.matching import Matcher
from vlm_ros.models.model import OnText, Stop, never

PLACE = "{}"
"""Where a question holds the option: "a photo of a {}"."""

_TINY = float(np.finfo(np.float32).tiny)
_REGIONS_AT_ONCE = 6
"""Between two runs the deadline is looked at."""


class ComparingObservation:
    """A frame that ``matcher`` compares with texts."""

    def __init__(self, frame: Frame, matcher: Matcher, card: ModelCard, clock: Clock) -> None:
        self._frame = frame
        self._matcher = matcher
        self._card = card
        self._clock = clock

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
        """The option of ``form`` that fits the frame best, where ``question`` may hold its place: "a photo of a {}".

        It is one run, which no deadline cuts. ``BadQuestion`` for any form but ``Choices``.
        """
        if not isinstance(form, Choices) or isinstance(form.options, str) or not form.options:
            raise BadQuestion(
                "this model compares pictures with texts, it does not speak: give choices, "
                "or take a model that answers in words (vlm_ros models lists them)"
            )
        check_text(question)
        for option in form.options:
            check_text(option, "option")
            if not option.strip():
                raise BadQuestion(f"the option {option!r} is empty: name something to compare the picture with")
        start_s = self._clock()
        texts = [question.replace(PLACE, option) if PLACE in question else option for option in form.options]
        chances = self._matcher.probabilities([self._frame.rgb], texts)[0]
        best = int(chances.argmax())
        confidence = float(chances[best] / max(chances.sum(), _TINY))
        total_s, text = self._clock() - start_s, form.options[best]
        if on_text is not None:
            on_text(text)
        frame = self._frame
        return Answer(text, Finish.STOP, 1, confidence, total_s, total_s, frame.stamp_ns, frame.frame_id)

    def find(self, target: str, *, deadline_s: float, stop: Stop = never) -> Percept:
        """Where the frame shows ``target``, as ``models.finding.Finder`` says."""
        end_s = self._clock() + deadline_s
        text, contrasts = question_about(self._card, target), self._card.contrast_prompts
        texts = [text, *contrasts] if self._matcher.exclusive else [text]
        looked = regions(*self._frame.rgb.shape[:2])
        scores: list[float] = []
        for some in _batches(looked):
            if stop() or self._clock() >= end_s:
                return unreadable(target, self._frame.stamp_ns)
            pictures = [crop(self._frame.rgb, region) for region in some]
            scores.extend(self._matcher.probabilities(pictures, texts)[:, 0].tolist())
        return percept_from_scores(target, looked, np.asarray(scores), self._frame, threshold=self._card.find_threshold)


def _batches(looked: Sequence[Region]) -> Iterator[Sequence[Region]]:
    return (looked[start : start + _REGIONS_AT_ONCE] for start in range(0, len(looked), _REGIONS_AT_ONCE))
