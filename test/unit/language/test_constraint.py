from __future__ import annotations

import json
import re

import pytest
from babbling import babble
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Library

from vlm_ros.core.answer import AnswerForm, Choices, FreeText, JsonSchema, Regex
from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.constraint import Constrainer
from vlm_ros.language.tokenizer import Tokenizer

POSITION = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 5},
        "side": {"enum": ["left", "right"]},
        "steps": {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 3},
    },
    "required": ["name", "side", "steps"],
    "additionalProperties": False,
}


@pytest.fixture
def constrainer(tokenizer: Tokenizer) -> Constrainer:
    return Constrainer(tokenizer, [tokenizer.number_of("</s>")])


@pytest.mark.parametrize("seed", range(10))
def test_choice_is_one_of_the_options_when_tokens_are_random(
    tokenizer: Tokenizer, constrainer: Constrainer, seed: int
) -> None:
    options = ("no", "left, near", "left, far", "no way", 'say "hi"', "back\\slash", "größer 機🤖", "a\nb", "a|b")
    assert babble(tokenizer, constrainer, Choices(options), seed).lstrip() in options


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("pattern", ["[0-9]{1,4}", "(yes|no), .{3}", r"a/b\d", " ?x y+z", "é+!"])
def test_text_matches_the_whole_pattern_when_tokens_are_random(byte_level: Tokenizer, pattern: str, seed: int) -> None:
    constrainer = Constrainer(byte_level, [byte_level.number_of("</s>")])
    assert re.fullmatch(pattern, babble(byte_level, constrainer, Regex(pattern), seed))


@pytest.mark.parametrize("seed", range(10))
def test_json_parses_and_has_no_free_space_when_tokens_are_random(
    tokenizer: Tokenizer, constrainer: Constrainer, seed: int
) -> None:
    text = babble(tokenizer, constrainer, JsonSchema(POSITION), seed).lstrip()
    answer = json.loads(text)
    assert answer["side"] in ("left", "right")
    assert len(answer["steps"]) <= 3
    assert text == json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


def test_one_space_may_come_first_when_the_vocabulary_begins_words_with_it(sentence_piece: Tokenizer) -> None:
    constrainer = Constrainer(sentence_piece, [sentence_piece.number_of("</s>")])
    constraint = constrainer.constraint(Choices(("no", "left, near")))
    texts = {sentence_piece.text_of(number) for number in constraint.allowed()}
    assert {"▁no", "no", "▁left", "left"} <= texts
    assert not texts & {"a", "</s>", "▁a", "?"}


def test_the_end_is_allowed_when_one_option_begins_another(tokenizer: Tokenizer, constrainer: Constrainer) -> None:
    constraint = constrainer.constraint(Choices(("a", "ab")))
    constraint.accept(tokenizer.number_of("a"))
    assert not constraint.finished
    assert tokenizer.number_of("</s>") in constraint.allowed()
    assert {tokenizer.decode([number]) for number in constraint.allowed()} == {"", "b"}


def test_forced_tokens_complete_the_answer_when_only_one_is_left(
    tokenizer: Tokenizer, constrainer: Constrainer
) -> None:
    constraint = constrainer.constraint(Choices(("no", "left, near")))
    token = next(number for number in constraint.allowed() if tokenizer.decode([number]).startswith("l"))
    forced = constraint.accept(token)
    assert forced and constraint.finished
    assert tokenizer.decode([token, *forced]) == "left, near"


def test_a_token_is_refused_when_it_was_not_allowed(tokenizer: Tokenizer, constrainer: Constrainer) -> None:
    constraint = constrainer.constraint(Choices(("no", "left")))
    with pytest.raises(BadQuestion, match="any further"):
        constraint.accept(tokenizer.number_of("b"))


@pytest.mark.parametrize(
    ("pattern", "said"), [("ab9", "ab"), ("ab中+", "ab"), ("(ab9|ba1)", "ab"), ("a{2,3}z|b", "aaa")]
)
def test_answer_is_refused_where_the_form_wants_what_no_token_spells(pattern: str, said: str) -> None:
    """It must not end there as if it were whole."""
    constrainer = Constrainer(letters("ab01"), [0])
    constraint = constrainer.constraint(Regex(pattern))
    numbers = [1 + "ab01".index(letter) for letter in said]
    with pytest.raises(BadQuestion, match="any further: this model has no token for what must come next$"):
        while numbers:
            assert 0 not in constraint.allowed()
            for number in (numbers[0], *constraint.accept(numbers[0])):
                assert number == numbers.pop(0)
        constraint.allowed()


def letters(known: str) -> Tokenizer:
    """A vocabulary of some letters, and the end as number 0."""
    library = Library(models.BPE(vocab={text: number for number, text in enumerate(("</s>", *known))}, merges=[]))
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([AddedToken("</s>", special=True)])
    return Tokenizer(library.to_str(), {"eos_token": "</s>"})


def test_constraints_do_not_disturb_each_other_when_they_take_turns(
    tokenizer: Tokenizer, constrainer: Constrainer
) -> None:
    form = Choices(("a b a", "b a b"))
    one, other = constrainer.constraint(form), constrainer.constraint(form)
    start = one.allowed().tolist()
    one.accept(tokenizer.encode("a", frame=False)[-1])
    assert other.allowed().tolist() == start
    assert constrainer.constraint(form).allowed().tolist() == start


def test_free_text_has_no_constraint_when_asked_for(constrainer: Constrainer) -> None:
    assert constrainer.constraint(FreeText()) is None


@pytest.mark.parametrize(
    ("form", "said"),
    [
        (Choices(()), "nothing to choose"),
        (Choices("no"), "nothing to choose"),
        (Choices(("no", "")), "''"),
        (Choices((" no",)), "' no'"),
        (Choices((1,)), "1"),
        (Regex("a(b"), "unclosed group"),
        (Regex("(?=a)b"), "look"),
        (Regex(r"[^\s\S]"), "no text has it"),
        (Regex(r"a[^\s\S]"), "no text has it"),
        (JsonSchema({"type": "objekt"}), "objekt"),
        (JsonSchema({"enum": [{1, 2}]}), "not JSON"),
        (JsonSchema(["no"]), "not JSON"),
        (JsonSchema({"type": "object", "required": 3}), "required"),
    ],
)
def test_form_is_refused_with_the_reason_when_it_makes_no_sense(
    constrainer: Constrainer, form: AnswerForm, said: str
) -> None:
    with pytest.raises(BadQuestion, match=said):
        constrainer.constraint(form)
