"""Answers are held to a form by vocabularies whose words begin with a mark, as T5's do."""

from __future__ import annotations

import json

from tokenizers import Tokenizer as Library
from tokenizers import decoders, models, pre_tokenizers

from vlm_ros.core.answer import Choices
from vlm_ros.language.constraint import Constrainer
from vlm_ros.language.metaspace import with_spaces_written_out
from vlm_ros.language.tokenizer import Tokenizer

MARK = "\N{LOWER ONE EIGHTH BLOCK}"
WORDS = ["<pad>", "</s>", "<unk>", f"{MARK}yes", f"{MARK}no", "no", "yes", "where"]


def t5_like() -> str:
    library = Library(models.Unigram([(word, -1.0) for word in WORDS], unk_id=2))
    library.pre_tokenizer, library.decoder = pre_tokenizers.Metaspace(), decoders.Metaspace()
    return library.to_str()


def test_choices_may_begin_with_the_mark_of_a_word() -> None:
    constraint = Constrainer(Tokenizer(t5_like(), {}), [1]).constraint(Choices(("yes", "no")))
    assert constraint is not None
    assert {WORDS[number].lstrip(MARK) for number in constraint.allowed()} == {"yes", "no"}
    assert {3, 4} <= set(constraint.allowed().tolist())


def test_other_tokenizers_stay_as_they_are() -> None:
    content = json.loads(t5_like()) | {"decoder": {"type": "ByteLevel"}}
    assert with_spaces_written_out(json.dumps(content)) == json.dumps(content)
