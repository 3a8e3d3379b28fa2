"""BLIP-2's prompts: the picture before everything, questions in their frame, captions as they begin."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadQuestion
from vlm_ros.language.language import Language, language_from_bundle

TINY = Path(__file__).parents[2] / "bundles/tiny_llava"
BEGIN, IMAGE = 1, 4


def language(folder: Path, **card: str) -> Language:
    shutil.copytree(TINY, folder, ignore=shutil.ignore_patterns("onnx", "chat_template*"))
    for name, changes in (("config.json", {"model_type": "blip-2"}), ("model_card.json", card)):
        path = folder / name
        path.write_text(json.dumps((json.loads(path.read_text()) if path.is_file() else {}) | changes))
    return language_from_bundle(Bundle(folder), IMAGE)


@pytest.mark.parametrize(
    ("asked", "written"),
    [
        ("Where is it?", "Question: Where is it? Answer:"),
        ("a photo of", "a photo of"),
        ("{{ 1 }}", "Question: {{ 1 }} Answer:"),
    ],
)
def test_a_question_is_framed_and_the_cards_caption_is_not(tmp_path: Path, asked: str, written: str) -> None:
    spoken = language(tmp_path / "bundle", describe_prompt="a photo of")
    prompt = spoken.prompts.encode(asked)
    assert prompt.before == ()
    assert prompt.after[0] == BEGIN
    assert spoken.tokenizer.decode(prompt.after[1:]) == written
    with pytest.raises(BadQuestion, match="empty"):
        spoken.prompts.encode(" ")


def test_the_picture_alone_asks_for_a_caption_when_the_card_says_nothing_else(tmp_path: Path) -> None:
    spoken = language(tmp_path / "bundle", describe_prompt="")
    assert spoken.prompts.encode("").after == (BEGIN,)
