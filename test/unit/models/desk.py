"""A worker with a model that says what it was told to say, and somebody who listens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from vlm_ros.core.answer import Answer, AnswerForm, Choices, Finish, Regex
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Percept
from vlm_ros.core.things import ThingsSeen
from vlm_ros.models.cascade import Cascade
from vlm_ros.models.model import OnText, Stop, never
from vlm_ros.models.seat import ModelSeat
from vlm_ros.models.serving import Picture, ServingConfig
from vlm_ros.models.worker import ModelWorker

WORDS = ("a", "quiet", "room")
LIST = ("a ball", "on the left,", "far.")
NOW_S = 100.0


class FakeModel:
    """Answers a choice with its first option, a pattern with ``LIST``, anything else with ``WORDS``, one a token."""

    def __init__(self) -> None:
        self.questions: list[tuple[int, str]] = []
        self.before_token: Callable[[int, str], None] = lambda stamp_ns, question: None
        self.fails = False
        self.knows_no_patterns = False

    def observe(self, frame: Frame) -> FakeObservation:
        return FakeObservation(self, frame)

    def close(self) -> None:
        pass


@dataclass
class FakeObservation:
    model: FakeModel
    frame: Frame

    def ask(
        self,
        question: str,
        form: AnswerForm,
        *,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        stop: Stop = never,
    ) -> Answer:
        if not question:
            raise BadQuestion("the question is empty")
        if self.model.fails:
            raise RuntimeError("out of memory")
        if "zebra" in question:
            raise BadQuestion("the model does not know 'zebra'")
        self.model.questions.append((self.frame.stamp_ns, question))
        if isinstance(form, Regex) and self.model.knows_no_patterns:
            raise BadQuestion("give no pattern")
        tokens = form.options[:1] if isinstance(form, Choices) else LIST if isinstance(form, Regex) else WORDS
        said: list[str] = []
        finish = Finish.STOP
        for token in tokens:
            self.model.before_token(self.frame.stamp_ns, question)
            if stop():
                finish = Finish.CANCELLED
                break
            said.append(token)
            if on_text is not None:
                on_text(token)
        return Answer(" ".join(said), finish, len(said), 1.0, 0.1, 0.2, self.frame.stamp_ns, self.frame.frame_id)


@dataclass
class Told:
    """A listener that remembers, in order."""

    events: list[Any] = field(default_factory=list)

    def on_percept(self, percept: Percept, frame: Frame) -> None:
        self.events.append(percept)

    def on_things(self, seen: ThingsSeen, frame: Frame) -> None:
        self.events.append(seen)

    def on_description(self, answer: Answer, prompt: str) -> None:
        self.events.append(answer)

    def on_trouble(self, text: str) -> None:
        self.events.append(text)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Desk:
    """A worker at work, on a clock that stands still until told."""

    def __init__(self, cascade: Cascade | None = None) -> None:
        self.model, self.told, self.card = FakeModel(), Told(), ModelCard()
        self.seat = ModelSeat(self.model)
        self.config = ServingConfig(describe_period_s=0.0)
        self.now_s = NOW_S
        self.worker = ModelWorker(
            self.seat, self.card, lambda: self.config, self.told, lambda: self.now_s, cascade=cascade
        )
        self.worker.start()

    def show(self, stamp_ns: int, age_s: float = 0.0) -> None:
        frame = Frame(np.zeros((2, 2, 3), np.uint8), stamp_ns, "optical")
        self.worker.pictures.put(Picture(lambda: frame, age_s, self.now_s))

    def wait(self, condition: Callable[[], Any]) -> Any:
        end_s = time.monotonic() + 5.0
        while not (value := condition()):
            assert time.monotonic() < end_s, f"waited in vain; told so far: {self.told.events}"
            time.sleep(0.001)
        return value

    def percepts(self) -> list[Percept]:
        return self.told.of(Percept)
