"""The contract of every model: observe a frame once, ask about it often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from vlm_ros.core.answer import Answer, AnswerForm
from vlm_ros.core.frame import Frame

OnText = Callable[[str], None]
"""Called with each piece of text as it is decoded."""

Stop = Callable[[], bool]
"""Asked between two tokens: whether to give up now."""


def never() -> bool:
    """A ``Stop`` that never stops."""
    return False


class Observation(Protocol):
    """One frame, its vision encoding and its image prefix, shared by all questions about it."""

    @property
    def frame(self) -> Frame:
        """The frame that was observed."""

    def ask(
        self,
        question: str,
        form: AnswerForm,
        *,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        stop: Stop = never,
    ) -> Answer:
        """Decode one answer of ``form``.

        ``deadline_s`` is how many seconds the answer may take; past it, or when ``stop()`` says so,
        decoding ends between two tokens and ``Answer.finish`` says why.
        Raises ``BadQuestion`` for an empty question, one too long for the context, or a bad form.
        """


class Model(Protocol):
    """A vision-language model that is loaded."""

    def observe(self, frame: Frame) -> Observation:
        """An observation of ``frame``; the work happens on the first question."""

    def close(self) -> None:
        """Free the runners."""
