"""The worker that owns the model: whose question is answered when, about which picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from desk import NOW_S, WORDS, Desk

from vlm_ros.core.answer import Answer, Choices, Finish, FreeText
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadImage, BadQuestion, Cancelled, NoPicture
from vlm_ros.core.frame import Frame, RgbImage
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range
from vlm_ros.core.things import Thing, ThingsSeen
from vlm_ros.models.cascade import Cascade, CascadeConfig
from vlm_ros.models.matching import Floats
from vlm_ros.models.serving import Picture, Wanted


def test_it_answers_the_robot_about_each_picture_when_something_is_wanted(desk: Desk) -> None:
    desk.worker.wanted = Wanted("red ball")
    desk.show(1)
    desk.wait(desk.percepts)
    desk.show(2)
    desk.wait(lambda: desk.percepts()[1:])
    assert [percept.stamp_ns for percept in desk.percepts()] == [1, 2]
    assert [percept.target for percept in desk.percepts()] == ["red ball"] * 2
    assert all(percept.readable and not percept.visible for percept in desk.percepts())


def test_it_names_things_of_the_picture_that_the_robot_was_told_about(desk: Desk) -> None:
    desk.worker.wanted, desk.worker.naming = Wanted(""), True
    desk.show(1)
    (seen,) = desk.wait(lambda: desk.told.of(ThingsSeen))
    assert seen == ThingsSeen((Thing("ball", Bearing.LEFT, Range.FAR),), 1.0, 1)
    assert [question for _, question in desk.model.questions] == [desk.card.path_prompt, desk.card.things_prompt]
    assert desk.worker.counts.things == 1


def test_nothing_is_named_while_nobody_listens(desk: Desk) -> None:
    desk.worker.wanted = Wanted("")
    desk.show(1)
    desk.wait(desk.percepts)
    desk.show(2)
    desk.wait(lambda: desk.percepts()[1:])
    assert {question for _, question in desk.model.questions} == {desk.card.path_prompt}


def test_the_robot_is_answered_between_two_tokens_of_a_list(desk: Desk) -> None:
    def interrupt(stamp_ns: int, question: str) -> None:
        if question == desk.card.things_prompt and stamp_ns == 1 and not desk.told.events[1:]:
            desk.show(2)

    desk.model.before_token = interrupt
    desk.worker.wanted, desk.worker.naming = Wanted(""), True
    desk.show(1)
    desk.wait(lambda: desk.told.of(ThingsSeen))
    told = [(type(event), event.stamp_ns) for event in desk.told.events[:3]]
    assert told == [(Percept, 1), (Percept, 2), (ThingsSeen, 1)]


def test_a_list_comes_to_its_end_when_the_model_is_slow_and_pictures_never_cease(desk: Desk) -> None:
    def pass_time(stamp_ns: int, question: str) -> None:
        desk.now_s += 0.2 if question == desk.card.things_prompt else 1.0
        desk.show(stamp_ns + 1 if question == desk.card.path_prompt else 100 + len(desk.model.questions))

    desk.model.before_token = pass_time
    desk.worker.wanted, desk.worker.naming = Wanted(""), True
    desk.show(1)
    desk.wait(lambda: desk.told.of(ThingsSeen))
    before = desk.told.events[: desk.told.events.index(desk.told.of(ThingsSeen)[0])]
    assert len(before) == 2, "one picture in half the time, not one for each token"


def test_it_says_so_and_goes_on_when_the_model_cannot_list_things(desk: Desk) -> None:
    desk.model.knows_no_patterns = True
    desk.worker.wanted, desk.worker.naming = Wanted(""), True
    desk.show(1)
    assert "cannot list" in desk.wait(lambda: desk.told.of(str))[0]
    assert desk.worker.counts.failures == 0
    desk.show(2)
    desk.wait(lambda: desk.percepts()[1:])


def test_it_asks_only_about_the_path_when_no_target_is_wanted(desk: Desk) -> None:
    desk.worker.wanted = Wanted("")
    desk.show(1)
    percept = desk.wait(desk.percepts)[0]
    assert (percept.target, percept.path) == ("", PathAhead.CLEAR)
    assert desk.model.questions == [(1, desk.card.path_prompt)]


def test_it_asks_nothing_when_nothing_is_wanted(desk: Desk) -> None:
    future = desk.worker.submit("What?", FreeText())
    desk.show(1)
    assert future.result(5.0).complete
    assert desk.model.questions == [(1, "What?")]


def test_the_robot_is_told_when_the_model_fails(desk: Desk) -> None:
    desk.worker.wanted = Wanted("red ball")
    desk.model.fails = True
    desk.show(7)
    percept = desk.wait(desk.percepts)[0]
    assert not percept.readable
    assert percept.stamp_ns == 7
    assert "out of memory" in desk.worker.counts.last_failure
    desk.model.fails = False
    desk.show(8)
    assert desk.wait(lambda: desk.percepts()[1:])[0].readable


def test_the_robot_is_told_why_when_the_model_cannot_be_asked_about_its_target(desk: Desk) -> None:
    desk.worker.wanted = Wanted("zebra")
    desk.show(7)
    percept = desk.wait(desk.percepts)[0]
    assert (percept.readable, percept.refusal) == (False, "the model does not know 'zebra'")


def test_a_newer_picture_is_answered_between_two_tokens_of_a_description(desk: Desk) -> None:
    desk.worker.wanted = Wanted("red ball")
    desk.config = replace(desk.config, describe_period_s=1.0)
    desk.model.before_token = lambda stamp_ns, question: (
        desk.show(2) if question == desk.card.describe_prompt and not desk.percepts()[1:] else None
    )
    desk.show(1)
    description = desk.wait(lambda: desk.told.of(Answer))[0]
    assert (description.stamp_ns, description.text, description.finish) == (1, "a quiet room", Finish.STOP)
    before = desk.told.events[: desk.told.events.index(description)]
    assert [percept.stamp_ns for percept in before] == [1, 2]


def test_a_person_need_not_wait_for_the_end_of_a_description(desk: Desk) -> None:
    desk.config = replace(desk.config, describe_period_s=1.0)
    asked: list[Any] = []

    def ask(stamp_ns: int, question: str) -> None:
        if question == desk.card.describe_prompt and not asked:
            asked.append(desk.worker.submit("Who?", Choices(("me", "you"))))
            desk.show(2)

    desk.model.before_token = ask
    desk.show(1)
    desk.wait(lambda: desk.told.of(Answer))
    answer = asked[0].result(1.0)
    assert (answer.text, answer.stamp_ns) == ("me", 2)
    assert [question for _, question in desk.model.questions] == [desk.card.describe_prompt, "Who?"]


def test_descriptions_come_once_a_period(desk: Desk) -> None:
    desk.config = replace(desk.config, describe_period_s=2.0)
    desk.worker.wanted = Wanted("red ball")
    desk.show(1)
    desk.wait(lambda: desk.told.of(Answer))
    desk.show(2)
    desk.wait(lambda: desk.percepts()[1:])
    desk.now_s += 2.1
    desk.show(3)
    desk.wait(lambda: desk.told.of(Answer)[1:])
    assert [answer.stamp_ns for answer in desk.told.of(Answer)] == [1, 3]


def test_a_person_gets_the_words_as_they_come(desk: Desk) -> None:
    words: list[str] = []
    future = desk.worker.submit("What?", FreeText(), on_text=words.append)
    desk.show(1)
    assert future.result(5.0).text == "a quiet room"
    assert tuple(words) == WORDS


def test_a_generation_ends_when_it_is_cancelled(desk: Desk) -> None:
    words: list[str] = []
    future = desk.worker.submit("What?", FreeText(), on_text=words.append, cancelled=lambda: bool(words))
    desk.show(1)
    assert future.result(5.0).finish is Finish.CANCELLED
    assert words == ["a"]


def test_a_bad_question_is_the_askers_and_nobody_elses(desk: Desk) -> None:
    future = desk.worker.submit("", FreeText())
    desk.show(1)
    with pytest.raises(BadQuestion, match="empty"):
        future.result(5.0)
    future = desk.worker.submit("What?", FreeText())
    desk.show(2)
    assert future.result(5.0).complete


def test_old_pictures_are_refused_and_counted(desk: Desk) -> None:
    desk.worker.wanted = Wanted("red ball")
    desk.show(1, age_s=1.5)
    desk.wait(lambda: desk.worker.counts.too_old == 1)
    desk.show(2, age_s=0.5)
    assert desk.wait(desk.percepts)[0].stamp_ns == 2


def test_bad_pictures_are_counted_and_the_worker_goes_on(desk: Desk) -> None:
    def read() -> Frame:
        raise BadImage("encoding 'rgb9' is unknown")

    desk.worker.wanted = Wanted("red ball")
    desk.worker.pictures.put(Picture(read, 0.0, desk.now_s))
    desk.wait(lambda: desk.worker.counts.bad_images == 1)
    assert "rgb9" in desk.worker.counts.last_bad_image
    desk.show(2)
    desk.wait(desk.percepts)


def test_a_question_ends_when_no_picture_comes(desk: Desk) -> None:
    future = desk.worker.submit("What?", FreeText())
    desk.now_s += desk.config.picture_timeout_s + 0.1
    with pytest.raises(NoPicture, match="2 s"):
        future.result(5.0)


def test_waiting_questions_end_when_the_worker_closes(desk: Desk) -> None:
    future = desk.worker.submit("What?", FreeText())
    desk.worker.close()
    with pytest.raises(Cancelled):
        future.result(1.0)
    with pytest.raises(Cancelled):
        desk.worker.submit("What?", FreeText()).result(1.0)


class GateEyes:
    """Sees the same in every picture, until it fails."""

    fails = False

    def image_embeds(self, pictures: Sequence[RgbImage]) -> Floats:
        if self.fails:
            raise RuntimeError("out of memory")
        return np.ones((len(pictures), 1), np.float32)

    def text_embeds(self, texts: Sequence[str]) -> Floats:
        return np.zeros((len(texts), 1), np.float32)


@pytest.mark.parametrize("fails", [False, True])
def test_what_would_be_said_again_is_held_back_unless_the_gate_fails(fails: bool) -> None:
    eyes = GateEyes()
    card = ModelCard(contrast_prompts=("a floor",) * 9)
    desk = Desk(Cascade(lambda: eyes, card, CascadeConfig, lambda: NOW_S))
    desk.worker.wanted = Wanted("red ball")
    try:
        desk.show(1)
        desk.wait(desk.percepts)
        eyes.fails = fails
        desk.show(2)
        desk.wait(lambda: len(desk.percepts()) == 2 if fails else desk.worker.counts.held_back)
        assert len(desk.percepts()) == 1 + fails
        assert ("out of memory" in desk.worker.counts.last_failure) == fails
    finally:
        desk.worker.close()
