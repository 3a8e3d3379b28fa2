"""What is no text is refused in words."""

from __future__ import annotations

import pytest

from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.text import check_text


@pytest.mark.parametrize("text", ["", "red", "这是什么？", "a\x00\u202e", "\N{ROBOT FACE}"])
def test_every_text_passes(text: str) -> None:
    check_text(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "the option is None of the type NoneType: give text"),
        (b"red", "the option is b'red' of the type bytes"),
        ("a\udcffb", r"the option holds '\\udcff', which is no character: give it in UTF-8"),
        ("\ud83d", "which is no character"),
    ],
)
def test_what_is_no_text_is_refused_with_its_value_and_the_way_out(text: object, said: str) -> None:
    with pytest.raises(BadQuestion, match=said):
        check_text(text, "option")
