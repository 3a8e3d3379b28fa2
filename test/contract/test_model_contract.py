"""What every model does alike, whatever its weights: they are random here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import numpy as np
import pytest

from vlm_ros.core.answer import AnswerForm, Choices, Finish, FreeText, JsonSchema, Regex
from vlm_ros.core.clock import ManualClock
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.model import Model

MakeModel = Callable[..., Model]

COLOUR = {
    "type": "object",
    "properties": {"colour": {"enum": ["red", "blue"]}, "count": {"type": "integer", "minimum": 0, "maximum": 99}},
    "required": ["colour", "count"],
    "additionalProperties": False,
}
QUESTIONS: list[tuple[str, AnswerForm]] = [
    ("What is in the image?", FreeText(24)),
    ("Is there a red ball?", Choices(("no", "left, near", "left, far", "right, near", "right, far"))),
    ("Which colour, and how many?", JsonSchema(COLOUR)),
    ("A number, please.", Regex("-?[0-9]{1,3}")),
    ("And what else?", FreeText(24)),
]


def picture(seed: int = 0) -> Frame:
    """A picture of large bright and dark patches."""
    patches = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return Frame(patches.repeat(12, axis=0).repeat(16, axis=1), stamp_ns=1_000 + seed, frame_id="camera")


def essence(answer) -> tuple:
    """All of an answer but its times; the probabilities as far as rounding lets them agree."""
    return answer.text, answer.finish, answer.tokens, pytest.approx(answer.confidence, rel=1e-3)


def test_answers_are_the_same_when_asked_again(make_model: MakeModel) -> None:
    first, second = make_model().observe(picture()), make_model().observe(picture())
    for question, form in QUESTIONS:
        answer = first.ask(question, form)
        assert essence(answer) == essence(first.ask(question, form)) == essence(second.ask(question, form))


def test_answers_are_the_same_when_questions_share_a_picture(model: Model) -> None:
    shared = model.observe(picture())
    for question, form in QUESTIONS:
        assert essence(shared.ask(question, form)) == essence(model.observe(picture()).ask(question, form))


def test_answers_are_the_same_when_questions_about_several_pictures_come_in_a_batch(model: Model) -> None:
    requests = [Request(picture(seed), question, form) for seed in (0, 1) for question, form in QUESTIONS]
    assert model.most_rows(4) == 4  # type: ignore[attr-defined]
    batched, alone = (list(ask_all(model, requests, max_batch=size)) for size in (4, 1))
    assert [essence(answer) for answer in batched] == [essence(answer) for answer in alone]
    assert [answer.stamp_ns for answer in batched] == [request.frame.stamp_ns for request in requests]


def test_answers_differ_when_pictures_or_questions_differ(model: Model) -> None:
    question, form = QUESTIONS[0]
    texts = {model.observe(picture(seed)).ask(question, form).text for seed in range(4)}
    assert len(texts) == 4
    assert model.observe(picture()).ask("Who?", form).text not in texts


def test_answer_carries_stamp_and_frame_when_given(model: Model) -> None:
    answer = model.observe(picture(5)).ask(*QUESTIONS[1])
    assert (answer.stamp_ns, answer.frame_id) == (1_005, "camera")
    assert model.observe(picture(5)).frame.stamp_ns == 1_005


def test_times_are_told_in_order_when_answered(model: Model) -> None:
    answer = model.observe(picture()).ask(*QUESTIONS[0])
    assert 0 < answer.first_token_s < answer.total_s
    assert answer.tokens_per_s > 0


@pytest.mark.parametrize("seed", range(6))
def test_constrained_answers_parse_when_weights_are_random(model: Model, seed: int) -> None:
    observation = model.observe(picture(seed))
    choice, json_text, number = (observation.ask(*QUESTIONS[index]) for index in (1, 2, 3))
    assert choice.text in QUESTIONS[1][1].options
    assert json.loads(json_text.text)["colour"] in ("red", "blue")
    assert re.fullmatch("-?[0-9]{1,3}", number.text)
    for answer in (choice, json_text, number):
        assert answer.complete
        assert 0 < answer.confidence <= 1


@pytest.mark.parametrize(("question", "form"), QUESTIONS)
def test_pieces_make_up_the_text_when_streamed(model: Model, question: str, form: AnswerForm) -> None:
    pieces: list[str] = []
    answer = model.observe(picture()).ask(question, form, on_text=pieces.append)
    assert "".join(pieces) == answer.text
    assert all(pieces)


@pytest.mark.parametrize("limit", [1, 7])
def test_answer_is_cut_when_it_reaches_its_limit(model: Model, limit: int) -> None:
    answer = model.observe(picture()).ask("What?", FreeText(limit))
    assert (answer.tokens, answer.finish, answer.complete) == (limit, Finish.LENGTH, False)


def test_answer_is_cut_when_the_context_is_full(model: Model) -> None:
    answer = model.observe(picture()).ask("x " * 90, Regex("[a-z]{500}"))
    assert answer.finish is Finish.LENGTH
    assert answer.tokens < 128


def test_constrained_answer_is_cut_when_the_limit_falls_among_forced_tokens(model: Model) -> None:
    answer = model.observe(picture()).ask("Sure?", Regex("(xy|zw)" + "q" * 400))
    assert answer.finish is Finish.LENGTH
    assert answer.tokens <= 128


def test_answer_is_cut_between_tokens_when_the_deadline_passes(make_model: MakeModel) -> None:
    clock = ManualClock()
    observation = make_model(clock).observe(picture())
    whole = observation.ask(*QUESTIONS[0])

    def tick() -> bool:
        clock.advance(0.1)
        return False

    answer = observation.ask(*QUESTIONS[0], deadline_s=0.55, stop=tick)
    assert (answer.finish, answer.tokens) == (Finish.DEADLINE, 5)
    assert whole.text.startswith(answer.text)
    assert answer.first_token_s == pytest.approx(0.1)
    assert answer.total_s == pytest.approx(0.6)


def test_nothing_is_computed_when_the_deadline_has_passed_already(make_model: MakeModel) -> None:
    model = make_model()
    observation = model.observe(picture())
    model.close()  # from here on every run of a graph fails
    answer = observation.ask(*QUESTIONS[0], deadline_s=0.0)
    assert (answer.text, answer.tokens, answer.finish, answer.confidence) == ("", 0, Finish.DEADLINE, 0.0)


@pytest.mark.parametrize("patience", [0, 1, 4])
def test_answer_is_cut_between_tokens_when_told_to_stop(model: Model, patience: int) -> None:
    asked: list[None] = []

    def stop() -> bool:
        asked.append(None)
        return len(asked) > patience

    observation = model.observe(picture())
    answer = observation.ask(*QUESTIONS[0], stop=stop)
    assert (answer.finish, answer.tokens) == (Finish.CANCELLED, patience)
    assert observation.ask(*QUESTIONS[0]).text.startswith(answer.text)


@pytest.mark.parametrize("other_picture", [1, 0], ids=["another picture", "the same picture"])
def test_answers_are_as_alone_when_one_is_asked_between_the_tokens_of_another(model: Model, other_picture: int) -> None:
    caption = essence(model.observe(picture(0)).ask(*QUESTIONS[0]))
    urgent = essence(model.observe(picture(other_picture)).ask(*QUESTIONS[1]))
    outer = model.observe(picture(0))
    inner = outer if other_picture == 0 else model.observe(picture(other_picture))
    nested: list[tuple] = []

    def ask_urgently() -> bool:
        nested.append(essence(inner.ask(*QUESTIONS[1])))
        return False

    assert essence(outer.ask(*QUESTIONS[0], stop=ask_urgently)) == caption
    assert len(nested) == 24
    assert all(answer == urgent for answer in nested)


def test_constrained_answers_are_as_alone_when_they_interleave(model: Model) -> None:
    observation = model.observe(picture())
    alone = essence(observation.ask(*QUESTIONS[2]))
    nested: list[tuple] = []

    def ask_the_same() -> bool:
        nested.append(essence(observation.ask(*QUESTIONS[2])))
        return False

    assert essence(observation.ask(*QUESTIONS[2], stop=ask_the_same)) == alone
    assert nested and all(answer == alone for answer in nested)


@pytest.mark.parametrize(
    ("question", "form", "said"),
    [
        ("", FreeText(), "empty"),
        (" \n", FreeText(), "empty"),
        ("word " * 300, FreeText(), "the model reads 256"),
        ("what <image> is this", FreeText(), "<image>"),
        ("bye</s>", FreeText(), "</s>"),
        ("What?", FreeText(0), "at most 0"),
        ("What?", Choices(()), "nothing to choose"),
        ("What?", Regex("("), "regex"),
        ("What?", JsonSchema({"type": 5}), "type"),
    ],
)
def test_question_is_refused_with_the_reason_when_it_cannot_be_asked(
    model: Model, question: str, form: AnswerForm, said: str
) -> None:
    observation = model.observe(picture())
    with pytest.raises(BadQuestion, match=said):
        observation.ask(question, form)
    assert observation.ask(*QUESTIONS[1]).complete


def test_asking_fails_when_the_model_is_closed(make_model: MakeModel) -> None:
    model = make_model()
    model.close()
    model.close()
    with pytest.raises(RuntimeError, match="not active"):
        model.observe(picture()).ask(*QUESTIONS[0])
