from __future__ import annotations

import pytest

from vlm_ros.core.answer import Answer, Finish
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unreadable
from vlm_ros.language.prompts import FIND_FORM, PATH_FORM
from vlm_ros.language.reading import percept_from_answers, percept_from_path

STAMP_NS = 7


def answer(text: str, finish: Finish = Finish.STOP, confidence: float = 0.8) -> Answer:
    return Answer(text, finish, 1, confidence, 0.1, 0.2, STAMP_NS, "camera")


def percept(find: str, path: str | None = "clear") -> Percept:
    return percept_from_answers("ball", answer(find), None if path is None else answer(path, confidence=0.7))


@pytest.mark.parametrize("bearing", Bearing)
@pytest.mark.parametrize("range_", Range)
def test_position_is_read_when_the_target_is_seen(bearing: Bearing, range_: Range) -> None:
    seen = percept(f"{bearing.value}, {range_.value}")
    assert seen == Percept("ball", True, bearing, range_, PathAhead.CLEAR, 0.8, STAMP_NS)


def test_target_is_unseen_when_the_answer_is_no() -> None:
    assert percept("no", "blocked") == Percept("ball", False, None, None, PathAhead.BLOCKED, 0.8, STAMP_NS)


@pytest.mark.parametrize(
    ("said", "confidence", "ahead"),
    [
        pytest.param("blocked", 0.61, PathAhead.BLOCKED, id="likely enough"),
        pytest.param("blocked", 0.59, PathAhead.CLEAR, id="not likely enough"),
        pytest.param("clear", 0.51, PathAhead.CLEAR, id="clear at any probability"),
    ],
)
def test_blocked_is_believed_from_the_threshold_on(said: str, confidence: float, ahead: PathAhead) -> None:
    path = answer(said, confidence=confidence)
    assert percept_from_answers("ball", answer("no"), path, 0.6).path is ahead
    assert percept_from_path(path, 0.6).path is ahead


def test_path_is_unknown_when_nobody_asked() -> None:
    assert percept("left, far", None).path is PathAhead.UNKNOWN


@pytest.mark.parametrize("find", FIND_FORM.options)
@pytest.mark.parametrize("path", PATH_FORM.options)
def test_every_allowed_answer_is_readable_when_complete(find: str, path: str) -> None:
    assert percept(find, path).readable


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param("", id="empty"),
        pytest.param("No", id="capital"),
        pytest.param("no.", id="full stop"),
        pytest.param(" no", id="leading space"),
        pytest.param("left", id="no range"),
        pytest.param("near", id="no bearing"),
        pytest.param("left,near", id="no space"),
        pytest.param("near, left", id="other order"),
        pytest.param("left, near, clear", id="too much"),
        pytest.param("left, near\n", id="line break"),
        pytest.param("left, medium", id="unknown range"),
        pytest.param("up, near", id="unknown bearing"),
        pytest.param("no, left, near", id="both"),
        pytest.param("The ball is left, near", id="prose"),
        pytest.param("not left, near", id="negated"),
        pytest.param('{"bearing": "left"}', id="json"),
        pytest.param("links, nah", id="another language"),
        pytest.param("clear", id="the other question's answer"),
    ],
)
def test_percept_is_unreadable_when_the_find_answer_is_odd(odd: str) -> None:
    assert percept(odd) == unreadable("ball", STAMP_NS)


@pytest.mark.parametrize("odd", ["", "Clear", "clear.", "not clear", "unknown", "blocked, clear", "no"])
def test_percept_is_unreadable_when_the_path_answer_is_odd(odd: str) -> None:
    assert percept("left, near", odd) == unreadable("ball", STAMP_NS)


@pytest.mark.parametrize("cut", [Finish.LENGTH, Finish.DEADLINE, Finish.CANCELLED])
def test_percept_is_unreadable_when_an_answer_was_cut(cut: Finish) -> None:
    whole, half = answer("left, near"), answer("no", cut)
    assert percept_from_answers("ball", half, None) == unreadable("ball", STAMP_NS)
    assert percept_from_answers("ball", whole, answer("clear", cut)) == unreadable("ball", STAMP_NS)
