"""Free answers follow ``generation_config.json`` as transformers' ``generate`` does, one by one and in batches."""

from __future__ import annotations

import json
import runpy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

from picture_rows import ROWS, open_reference

from vlm_ros.core.answer import Choices, FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.export.exporting import export_bundle
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model

MAKE_TINY = Path(__file__).parents[1] / "bundles" / "make_tiny_pictures.py"
HALF_CHARACTER = "\N{REPLACEMENT CHARACTER}"
TOKENS = 24
FORM = Choices(("yes", "no"))
FILE = "generation_config.json"


def frame(seed):
    return Frame(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8))


FREE = [Request(frame(seed), question, FreeText(TOKENS)) for seed, question in enumerate(("Ball?", "? " * 20, "?"))]


@dataclass(frozen=True)
class Said:
    """An answer of transformers."""

    tokens: list[int]
    prompt: int
    text: str


@dataclass(frozen=True)
class Pair:
    """A checkpoint and its bundle, whose generation settings are changed together; ``settings`` are their own."""

    row: Any
    checkpoint: Path
    bundle: Bundle
    settings: dict[str, Any]

    def set(self, **settings):
        for folder in (self.checkpoint, self.bundle.folder):
            (folder / FILE).write_text(json.dumps(self.settings | settings))

    def answers(self, rows):
        """The texts of all ``FREE``, and what ``FORM`` gets with its confidence."""
        model = load_model(self.bundle, threads=1)
        *free, form = ask_all(model, [*FREE, Request(frame(0), "Ball?", FORM)], max_batch=rows)
        model.close()
        return [answer.text.rstrip(HALF_CHARACTER) for answer in free], (form.text, form.confidence)

    def said(self):
        """The tokens that transformers says to each of ``FREE``, how many the prompt has, and the text.

        An end that is no special token is left out of it, which transformers would write down.
        """
        reference = open_reference(self.row, self.checkpoint)
        found = []
        for request in FREE:
            inputs = reference.inputs(request.frame.rgb, request.question)
            count = inputs["input_ids"].shape[1]
            tokens = reference.model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)[0, count:].tolist()
            ends = np.atleast_1d(reference.model.generation_config.eos_token_id)
            text = reference.tokenizer.decode(tokens[: -1 if tokens[-1] in ends else None], skip_special_tokens=True)
            found.append(Said(tokens, count, text.lstrip().rstrip(HALF_CHARACTER)))
        return found

    def expected(self):
        """What transformers answers to all ``FREE``."""
        return [said.text for said in self.said()]


@pytest.fixture(scope="module", params=["lfm2_vl", "qwen2_5_vl"])
def pair(request, tmp_path_factory):
    """The former's pictures have other tokens than the image's among them; the latter ships a penalty."""
    row, folder = ROWS[request.param], tmp_path_factory.mktemp(request.param)
    runpy.run_path(str(MAKE_TINY))[row.make](folder / "checkpoint", row.kind)
    export_bundle(folder / "checkpoint", folder / "bundle")
    bundle = Bundle(folder / "bundle")
    return Pair(row, folder / "checkpoint", bundle, json.loads((bundle.folder / FILE).read_text()))


@pytest.fixture
def plain(pair):
    """What is said without further settings, by transformers and by the bundle."""
    pair.set()
    return pair.said(), pair.answers(1)


def with_early_end(said):
    """An end that comes as the third token of the first answer."""
    return {"eos_token_id": [2, said[0].tokens[2]]}


SETTINGS = {
    "repetition_penalty": lambda said: {"repetition_penalty": 1.2},
    "no_repeat_ngram_size 1": lambda said: {"no_repeat_ngram_size": 1},
    "no_repeat_ngram_size 2": lambda said: {"no_repeat_ngram_size": 2, "repetition_penalty": 0.5},
    "bad_words_ids": lambda said: {"bad_words_ids": [said[0].tokens[:1], said[1].tokens[1:4], said[2].tokens[:2], [2]]},
    "min_new_tokens": lambda said: with_early_end(said) | {"min_new_tokens": 7},
    "min_length": lambda said: with_early_end(said) | {"min_length": said[0].prompt + 9},
    "min_length and min_new_tokens": lambda said: with_early_end(said) | {"min_length": 4000, "min_new_tokens": 4},
    "begin_suppress_tokens": lambda said: {"begin_suppress_tokens": [each.tokens[0] for each in said]},
    "suppress_tokens": lambda said: {"suppress_tokens": [each.tokens[5] for each in said]},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_settings_are_the_checkpoints_in_free_answers_alone(pair, plain, name):
    said, (without, form) = plain
    pair.set(**SETTINGS[name](said))
    expected = pair.expected()
    assert any(text != before for text, before in zip(expected, without, strict=True)), "it would show nothing"
    for rows in (1, 3):
        free, constrained = pair.answers(rows)
        assert free == expected
        assert constrained == (form[0], pytest.approx(form[1], rel=1e-4))


def test_forced_beginning_changes_nothing_behind_a_picture(pair, plain):
    """transformers forces it behind a prompt of one token alone: it is not warned of."""
    pair.set(forced_bos_token_id=9)
    assert pair.expected() == plain[1][0]


def test_end_that_is_held_off_ends_the_answer_where_it_may(pair, plain):
    said, (without, _) = plain
    pair.set(**with_early_end(said))
    (short, *_), _ = pair.answers(1)
    pair.set(**with_early_end(said), min_new_tokens=7)
    (long, *_), _ = pair.answers(1)
    assert len(short) < len(long) and long.startswith(short)
    assert short == without[0][: len(short)]


def test_form_holds_whatever_the_settings_ban(pair, plain):
    """What may follow is what the form allows, though every token of it is banned and the end held off."""
    model = load_model(pair.bundle, threads=1)
    tokens = sorted({token for text in ("yes", "no") for token in model.language.tokenizer.encode(text, frame=False)})
    model.close()
    pair.set(
        suppress_tokens=list(range(model.language.vocabulary)),
        bad_words_ids=[[token] for token in tokens],
        begin_suppress_tokens=tokens,
        min_new_tokens=20,
        no_repeat_ngram_size=1,
    )
    for rows in (1, 3):
        model = load_model(pair.bundle, threads=1)
        requests = [Request(frame(0), "yes, no? Ball?", FORM)] * rows
        for answer in ask_all(model, requests, max_batch=rows):
            assert answer.text in FORM.options and answer.complete
        model.close()
