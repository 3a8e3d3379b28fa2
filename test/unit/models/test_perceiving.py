from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from vlm_ros.core.answer import Answer, AnswerForm
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import PathAhead, Percept, unreadable, unseen
from vlm_ros.language.prompts import FIND_FORM, PATH_FORM, THINGS_FORM
from vlm_ros.models.loading import load_model
from vlm_ros.models.model import Model, Observation, OnText, Stop, never
from vlm_ros.models.perceiving import perceive, perceive_path, perceive_things

CARD = ModelCard(find_prompt="Where is the {target}?", path_prompt="Is it clear?")


class ListenedObservation:
    """An observation that notes what it is asked."""

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self.asked: list[tuple[str, AnswerForm, float | None]] = []

    @property
    def frame(self) -> Frame:
        return self._observation.frame

    def ask(
        self,
        question: str,
        form: AnswerForm,
        *,
        deadline_s: float | None = None,
        on_text: OnText | None = None,
        stop: Stop = never,
    ) -> Answer:
        self.asked.append((question, form, deadline_s))
        return self._observation.ask(question, form, deadline_s=deadline_s, on_text=on_text, stop=stop)


@pytest.fixture(scope="module")
def model(tiny: Bundle) -> Iterator[Model]:
    loaded = load_model(tiny, threads=1)
    yield loaded
    loaded.close()


@pytest.fixture
def observation(model: Model) -> ListenedObservation:
    return ListenedObservation(model.observe(Frame(np.full((40, 40, 3), 90, np.uint8), stamp_ns=11)))


def test_both_questions_are_asked_when_there_is_time(observation: ListenedObservation) -> None:
    percept = perceive(observation, "Red Ball", CARD, deadline_s=60.0)
    assert [(question, form) for question, form, _ in observation.asked] == [
        ("Where is the red ball?", FIND_FORM),
        ("Is it clear?", PATH_FORM),
    ]
    assert percept.readable
    assert (percept.target, percept.stamp_ns) == ("Red Ball", 11)
    assert percept.path is not PathAhead.UNKNOWN


def test_second_question_has_the_time_that_is_left_when_the_first_took_some(observation: ListenedObservation) -> None:
    perceive(observation, "ball", CARD, deadline_s=60.0)
    (_, _, first_s), (_, _, second_s) = observation.asked
    assert first_s == 60.0
    assert 50.0 < second_s < 60.0


def stop_at(call: int) -> Stop:
    calls: list[None] = []

    def stop() -> bool:
        calls.append(None)
        return len(calls) >= call

    return stop


def test_percept_is_unreadable_and_the_path_is_not_asked_when_the_first_answer_is_cut(
    observation: ListenedObservation,
) -> None:
    assert perceive(observation, "ball", CARD, deadline_s=0.0) == unreadable("ball", 11)
    assert perceive(observation, "ball", CARD, deadline_s=60.0, stop=stop_at(1)) == unreadable("ball", 11)
    assert len(observation.asked) == 2


def test_percept_is_unreadable_when_the_second_answer_is_cut(observation: ListenedObservation) -> None:
    def path_asked() -> bool:
        return len(observation.asked) == 2

    assert perceive(observation, "ball", CARD, deadline_s=60.0, stop=path_asked) == unreadable("ball", 11)


def test_path_alone_is_asked_when_there_is_no_target(observation: ListenedObservation) -> None:
    percept = perceive_path(observation, CARD, deadline_s=60.0)
    assert [form for _, form, _ in observation.asked] == [PATH_FORM]
    assert percept.readable and not percept.visible
    assert percept.path is not PathAhead.UNKNOWN
    assert perceive_path(observation, CARD, deadline_s=0.0) == unreadable("", 11)


@pytest.mark.parametrize("target", ["", "x" * 200, "<image>"])
def test_target_is_refused_when_nobody_can_ask_about_it(observation: ListenedObservation, target: str) -> None:
    with pytest.raises(BadQuestion):
        perceive(observation, target, CARD, deadline_s=60.0)


def test_card_says_how_likely_blocked_must_be(observation: ListenedObservation) -> None:
    likely = observation.ask(CARD.path_prompt, PATH_FORM)
    assert likely.confidence < 0.999, "otherwise the threshold below changes nothing"
    strict = replace(CARD, path_threshold=0.999)
    assert perceive(observation, "ball", strict, deadline_s=60.0).path is PathAhead.CLEAR
    assert perceive_path(observation, strict, deadline_s=60.0).path is PathAhead.CLEAR


def test_things_are_asked_for_in_their_form(observation: ListenedObservation) -> None:
    seen = perceive_things(observation, CARD, deadline_s=60.0)
    assert seen is not None
    assert seen.stamp_ns == 11
    assert observation.asked == [(CARD.things_prompt, THINGS_FORM, 60.0)]


def test_no_things_are_named_when_there_is_no_time(observation: ListenedObservation) -> None:
    assert perceive_things(observation, CARD, deadline_s=0.0) is None


def test_no_things_are_named_when_the_model_only_finds(observation: ListenedObservation) -> None:
    class Finding(ListenedObservation):
        def find(self, target: str, *, deadline_s: float, stop: Stop = never) -> Percept:
            return unseen(target, 11)

    finding = Finding(observation)
    assert perceive_things(finding, CARD, deadline_s=60.0) is None
    assert not finding.asked
