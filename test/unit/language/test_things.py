"""Lists of things: what a model may answer, and what is read from it."""

from __future__ import annotations

import re

import pytest
from babbling import babble

from vlm_ros.core.answer import Answer, Finish
from vlm_ros.core.percept import Bearing, Range
from vlm_ros.core.target import checked_target
from vlm_ros.core.things import MOST_THINGS, Thing, ThingsSeen
from vlm_ros.language.constraint import Constrainer
from vlm_ros.language.prompts import THINGS_FORM, target_from_text
from vlm_ros.language.reading import things_from_answer
from vlm_ros.language.tokenizer import Tokenizer

STAMP_NS = 7
BALL = "a red ball on the left, far."
BOX = "an orange box in the center, near."
CHAIR = "a high-backed office chair on the right, far."
PATH = "the path is clear."


def answer(text: str, finish: Finish = Finish.STOP) -> Answer:
    return Answer(text, finish, 1, 0.8, 0.1, 0.2, STAMP_NS, "camera")


def things(text: str) -> list[Thing] | None:
    seen = things_from_answer(answer(text))
    return None if seen is None else list(seen.things)


@pytest.mark.parametrize("end", ["", f" {PATH}", " the path is blocked."])
@pytest.mark.parametrize("start", ["", " "])
def test_every_thing_is_read_when_the_list_is_complete(start: str, end: str) -> None:
    assert things_from_answer(answer(f"{start}{BALL} {BOX} {CHAIR}{end}")) == ThingsSeen(
        (
            Thing("red ball", Bearing.LEFT, Range.FAR),
            Thing("orange box", Bearing.CENTER, Range.NEAR),
            Thing("high-backed office chair", Bearing.RIGHT, Range.FAR),
        ),
        0.8,
        STAMP_NS,
    )


@pytest.mark.parametrize("text", ["nothing.", " nothing.", f"nothing. {PATH}"])
def test_nothing_is_an_empty_list(text: str) -> None:
    assert things(text) == []


def test_the_first_counts_when_two_things_have_one_name() -> None:
    assert things(f"{BALL} {BOX} a red ball on the right, near.") == things(f"{BALL} {BOX}")


def test_as_many_things_are_read_as_may_be_named() -> None:
    names = ["ball", "box", "cone", "lamp", "chair", "table", "shoe"]
    assert len(things(" ".join(f"a {name} on the left, far." for name in names[:MOST_THINGS])) or ()) == MOST_THINGS
    assert things(" ".join(f"a {name} on the left, far." for name in names)) is None


@pytest.mark.parametrize(
    "odd",
    [
        pytest.param("", id="empty"),
        pytest.param(" ", id="a space"),
        pytest.param(PATH, id="only the path"),
        pytest.param("Nothing.", id="capital"),
        pytest.param("nothing", id="no full stop"),
        pytest.param(f"nothing. {BALL}", id="nothing and something"),
        pytest.param(f"{PATH} {BALL}", id="other order"),
        pytest.param(f"{BALL} {PATH} {PATH}", id="too much"),
        pytest.param(f"{BALL} an orange box in the", id="half a sentence"),
        pytest.param(f"{BALL}{BOX}", id="no space between"),
        pytest.param(f"{BALL}  {BOX}", id="two spaces"),
        pytest.param(f"{BALL}\n{BOX}", id="line break"),
        pytest.param(f"{BALL} ", id="space behind"),
        pytest.param("red ball on the left, far.", id="no article"),
        pytest.param("a  on the left, far.", id="no name"),
        pytest.param("a red ball, far.", id="no place"),
        pytest.param("a red ball on the left.", id="no range"),
        pytest.param("a red ball above, far.", id="unknown place"),
        pytest.param("a red ball on the left, 2 m.", id="unknown range"),
        pytest.param("a Red ball on the left, far.", id="capital in a name"),
        pytest.param("a ball; rm -rf on the left, far.", id="signs in a name"),
        pytest.param("a b\u00e4r on the left, far.", id="letters of another language"),
        pytest.param(f"a {'x' * 17} on the left, far.", id="a word too long"),
        pytest.param("a very very very red ball on the left, far.", id="a name of too many words"),
        pytest.param(f"I see {BALL}", id="prose"),
        pytest.param('["a red ball"]', id="json"),
    ],
)
def test_no_list_is_read_when_the_answer_is_odd(odd: str) -> None:
    assert things_from_answer(answer(odd)) is None


@pytest.mark.parametrize("cut", [Finish.LENGTH, Finish.DEADLINE, Finish.CANCELLED])
def test_no_list_is_read_when_the_answer_was_cut(cut: Finish) -> None:
    assert things_from_answer(answer(f"{BALL} {BOX}", cut)) is None


def test_every_thing_that_is_named_can_be_searched_for() -> None:
    for thing in things(f"{BALL} {BOX} {CHAIR}") or ():
        assert target_from_text(checked_target(thing.name)) == thing.name


@pytest.mark.parametrize("name", ["", "Red ball", "red  ball", " ball", "ball-", "ball\n", "a b c d e", "x" * 17])
def test_a_thing_is_refused_when_its_name_is_none(name: str) -> None:
    with pytest.raises(ValueError, match="words"):
        Thing(name, Bearing.LEFT, Range.FAR)


def test_things_are_refused_when_a_name_is_there_twice_or_they_are_too_many() -> None:
    ball = Thing("ball", Bearing.LEFT, Range.FAR)
    with pytest.raises(ValueError, match="once"):
        ThingsSeen((ball, ball), 1.0, 0)
    many = [Thing(letter, Bearing.LEFT, Range.FAR) for letter in "abcdefg"]
    with pytest.raises(ValueError, match="7 things"):
        ThingsSeen(tuple(many), 1.0, 0)


@pytest.mark.parametrize("seed", range(5))
def test_a_model_without_any_sense_writes_a_list_when_it_is_held_to_the_form(byte_level: Tokenizer, seed: int) -> None:
    constrainer = Constrainer(byte_level, [byte_level.number_of("</s>")])
    said = babble(byte_level, constrainer, THINGS_FORM, seed, most=1000)
    assert re.fullmatch(THINGS_FORM.pattern, said)
    assert things_from_answer(answer(said)) is not None
