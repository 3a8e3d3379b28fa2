"""BERT's vocabulary from vocab.txt: texts in Chinese and English, choices as tokens, and words as they are said."""

from __future__ import annotations

from pathlib import Path

import pytest

from vlm_ros.core.answer import Choices, FreeText, Regex
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BadQuestion
from vlm_ros.language.choice_tokens import ChoiceConstrainer
from vlm_ros.language.text_batch import TextBatcher
from vlm_ros.language.tokenizer import TextStream, Tokenizer

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "红",
    "球",
    "a",
    "red",
    "ball",
    "##s",
    "left",
    "right",
    ",",
    "near",
)
END = WORDS.index("[SEP]")


@pytest.fixture
def words(tmp_path: Path) -> Tokenizer:
    (tmp_path / "vocab.txt").write_text("\n".join(WORDS) + "\n", encoding="utf-8")
    return Tokenizer.from_bundle(Bundle(tmp_path))


def test_chinese_is_read_sign_by_sign_and_capitals_as_small_letters(words: Tokenizer) -> None:
    assert words.encode("红球 A Red Balls", frame=True) == [2, 5, 6, 7, 8, 9, 10, 3]


def test_bundle_without_any_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBundle, match="tokenizer.json"):
        Tokenizer.from_bundle(Bundle(tmp_path))


def test_texts_of_different_length_are_padded_and_masked(words: Tokenizer) -> None:
    batch = TextBatcher(words, 6)(["红", "a red ball"])
    assert batch.input_ids.tolist() == [[2, 5, 3, 0, 0], [2, 7, 8, 9, 3]]
    assert batch.attention_mask.tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]


def test_word_that_the_vocabulary_lacks_is_read_and_does_not_steer(words: Tokenizer) -> None:
    assert TextBatcher(words, 6).encode("红 \U0001f916") == [2, 5, 1, 3]


@pytest.mark.parametrize("text", ["", " \t", "\x00\x07", "a [SEP] ball", "[PAD]", "a red ball a red ball"])
def test_text_is_refused_when_it_is_empty_steers_or_is_too_long(words: Tokenizer, text: str) -> None:
    with pytest.raises(BadQuestion):
        TextBatcher(words, 6).encode(text)


def test_streamed_text_is_the_whole_text_when_a_hidden_token_stands_between(words: Tokenizer) -> None:
    numbers = [8, 9, 4, 10, 13, 14]
    stream = TextStream(words, trim=True)
    pieces = [stream.push([number]) for number in numbers]
    assert stream.text == "".join(pieces) == words.decode(numbers)


def test_choice_goes_along_its_tokens_and_ends_where_nothing_can_follow(words: Tokenizer) -> None:
    constraint = ChoiceConstrainer(words, END).constraint(Choices(("Left, near", "left", "right ball")))
    assert constraint is not None
    assert constraint.allowed().tolist() == [11, 12]
    assert constraint.accept(11) == []
    assert constraint.allowed().tolist() == [END, 13]
    assert constraint.accept(13) == [14]
    assert constraint.finished


def test_single_way_on_is_forced_to_its_end(words: Tokenizer) -> None:
    constraint = ChoiceConstrainer(words, END).constraint(Choices(("right ball", "left")))
    assert constraint is not None
    assert constraint.accept(12) == [9]
    assert constraint.finished


def test_option_is_told_from_its_tokens(words: Tokenizer) -> None:
    assert ChoiceConstrainer(words, END).meant(Choices(("Left, Near", "Right")), "left, near") == "Left, Near"


@pytest.mark.parametrize("form", [Regex("a"), Choices(()), Choices(("",)), Choices(("purple",))])
def test_form_is_refused_when_it_cannot_be_held(words: Tokenizer, form: object) -> None:
    with pytest.raises(BadQuestion):
        ChoiceConstrainer(words, END).constraint(form)  # type: ignore[arg-type]


def test_free_text_is_not_constrained(words: Tokenizer) -> None:
    assert ChoiceConstrainer(words, END).constraint(FreeText()) is None
