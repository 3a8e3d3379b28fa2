from __future__ import annotations

import pytest

from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.prompts import FIND_FORM, PATH_FORM, question_about, target_from_text


def test_forms_hold_what_the_card_promises_when_listed() -> None:
    positions = [f"{side}, {far}" for side in ("left", "center", "right") for far in ("near", "far")]
    assert sorted(FIND_FORM.options) == sorted(["no", *positions])
    assert PATH_FORM.options == ("clear", "blocked")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("red ball", "red ball"),
        ("  Red\n\tBALL ", "red ball"),
        ("the red ball", "red ball"),
        ("An orange cone", "orange cone"),
        ("a", "a"),
        ("theatre", "theatre"),
        ("größter 球", "größter 球"),
        ("x" * 80, "x" * 80),
    ],
)
def test_target_is_brought_to_one_form_when_a_user_types_it(text: str, target: str) -> None:
    assert target_from_text(text) == target


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), (" \n", "empty"), ("x" * 81, "81"), ("red\x00ball", "printed"), ("a \u202e b", "printed")],
)
def test_target_is_refused_with_the_reason_when_it_names_nothing(text: str, said: str) -> None:
    with pytest.raises(BadQuestion, match=said):
        target_from_text(text)


@pytest.mark.parametrize("target", ["{target}", "{0}", "{", "}{", "%s", "{{ 1 }}", "\\1"])
def test_target_stays_word_for_word_when_it_looks_like_code(target: str) -> None:
    assert question_about(ModelCard(find_prompt="Where is {target} now?"), target) == f"Where is {target} now?"


def test_braces_of_the_card_stay_when_they_are_not_the_target() -> None:
    assert question_about(ModelCard(find_prompt='{"find": "{target}"}'), "Red Ball") == '{"find": "red ball"}'


def test_target_is_refused_when_the_model_was_never_taught_its_words() -> None:
    card = ModelCard(find_prompt="where is the {target}?", target_words=["red", "blue", "ball"])
    assert question_about(card, "the Red ball") == "where is the red ball?"
    with pytest.raises(BadQuestion, match="'pink', 'elephant'.*red, blue, ball"):
        question_about(card, "pink elephant")


def test_target_is_refused_when_the_model_knows_its_last_word_only_before_a_name() -> None:
    card = ModelCard(target_words=["red", "blue", "ball", "object"], target_names=["ball", "object"])
    assert "blue object" in question_about(card, "blue object")
    with pytest.raises(BadQuestion, match="'red'.*ball, object, for example 'red object'"):
        question_about(card, "red")
