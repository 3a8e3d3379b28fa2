"""What no model may break on, in a table: each is refused with the value and the way out, or answered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vlm_ros.core.answer import Choices, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BadImage, BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.language.tokenizer import Tokenizer
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model

REFUSED: dict[str, tuple[Any, str]] = {
    "empty": ("", "is empty"),
    "white space": (" \n\t", "is empty"),
    "longer than the context": ("red ball " * 600, r"\d+ tokens, the model reads \d+"),
    "bytes that are no text": ("red \udcff ball", r"'\\udcff', which is no character"),
    "half a character": ("\ud83d", "which is no character"),
    "bytes": (b"red", "of the type bytes: give text"),
    "nothing": (None, "of the type NoneType: give text"),
}
"""Texts, and what is said of them."""

READ = (
    "这是什么？左边有红色的球吗？",
    "a\x00b\x1b[31m red?",
    "red \u202eball",
    "\N{ROBOT FACE} red?",
    "red\u200b\u00a0box",
)
"""Texts that are read as they are."""

UNREADABLE = ("\x00", "\u200b", "\u202e")
"""Texts that are nothing to some vocabularies."""

SHAPES = ((1, 1), (2, 700), (700, 2), (1, 70_000))
"""Pictures that nobody took."""


def picture(height: int = 40, width: int = 60, seed: int = 0) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def check_speaking(model: Any) -> None:
    """All of the table, alone and in a batch; afterwards the model answers as before."""
    frame, good = picture(), ("red ball?", FreeText(3))
    before = model.observe(frame).ask(*good).text
    control = next(token for token in control_texts(model.speaker.language) if token)
    for text, said in (*REFUSED.values(), (f"red {control} ball", "control tokens")):
        with pytest.raises(BadQuestion, match=said):
            model.observe(frame).ask(text, FreeText(2))
        with pytest.raises(BadQuestion, match=said):
            list(ask_all(model, [Request(frame, *good), Request(frame, text, FreeText(2))], max_batch=2))
    for option in ("", "\udcff", None, control):
        with pytest.raises(BadQuestion):
            model.observe(frame).ask("red?", Choices(("no", option)))
    for text in READ:
        assert model.observe(frame).ask(text, FreeText(2)).tokens <= 2
    for text in UNREADABLE:
        answered_or_refused(lambda text=text: model.observe(frame).ask(text, FreeText(2)), BadQuestion, "empty")
    for shape in SHAPES:
        odd = picture(*shape)
        answered_or_refused(lambda odd=odd: model.observe(odd).ask(*good), BadImage, f"{shape[1]} x {shape[0]} pixels")
        answered_or_refused(
            lambda odd=odd: list(ask_all(model, [Request(odd, *good), Request(frame, *good)], max_batch=2)),
            BadImage,
            "pixels",
        )
    assert model.observe(frame).ask(*good).text == before


def check_comparing(model: Any) -> None:
    """The same of a model that compares, in all that it is asked for."""
    rgb, good = picture().rgb, "red ball"
    before = model.similarities([rgb], [good])
    for text, said in REFUSED.values():
        for compare in (model.similarities, model.probabilities):
            with pytest.raises(BadQuestion, match=said):
                compare([rgb, rgb], [good, text])
        with pytest.raises(BadQuestion, match=said):
            model.observe(picture()).ask("", Choices((good, text)))
    for text in READ:
        assert np.isfinite(model.similarities([rgb], [good, text])).all()
    for text in UNREADABLE:
        answered_or_refused(lambda text=text: model.similarities([rgb], [text]), BadQuestion, "empty")
    for shape in SHAPES:
        odd = picture(*shape).rgb
        answered_or_refused(lambda odd=odd: model.similarities([odd, rgb], [good]), BadImage, "pixels")
    for wrong in (rgb[..., :2], rgb[..., 0], rgb.astype(np.float32), rgb[:0]):
        with pytest.raises(BadImage, match="give pixels of shape"):
            model.similarities([wrong], [good])
    np.testing.assert_array_equal(model.similarities([rgb], [good]), before)


def check_vocabulary(bundle: Bundle, folder: Path) -> None:
    """A tokenizer of more tokens than the model has embeddings is refused when it is loaded."""
    copy = Path(shutil.copytree(bundle.folder, folder / "more_tokens"))
    path = copy / "tokenizer_config.json"
    config = json.loads(path.read_text()) if path.is_file() else {}
    size = Tokenizer.from_bundle(bundle).size
    added = {str(number): {"content": f"<new{number}>"} for number in range(size, size + 600)}
    path.write_text(json.dumps(config | {"added_tokens_decoder": added}))
    with pytest.raises(BadBundle, match=r"the tokenizer has \d+ tokens and the \w+ \d+: they are of two models"):
        load_model(Bundle(copy), threads=1)


def control_texts(language: Any) -> list[str]:
    """What the tokenizer reads as control tokens, but for what stands for unknown words."""
    tokenizer = language.tokenizer
    unknown = tokenizer.special_texts.get("unk_token")
    return [text for number in sorted(tokenizer.special_ids) if (text := tokenizer.text_of(number)) != unknown]


def answered_or_refused(ask: Any, error: type[Exception], said: str) -> None:
    """Whichever; nothing else may be raised."""
    try:
        ask()
    except error as refusal:
        assert said in str(refusal)
