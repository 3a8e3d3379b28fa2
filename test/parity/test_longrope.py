"""A Phi-3 with two sets of rotary factors answers as the checkpoint up to where it turns to the long ones."""

from __future__ import annotations

import logging

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch

from vlm_ros.core.answer import Finish, FreeText
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.frame import Frame
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.llava import parts_of
from vlm_ros.export.part import Sizes
from vlm_ros.export.validation import check_part
from vlm_ros.models.batching import Request, ask_all
from vlm_ros.models.loading import load_model

BORDER = 64
RGB = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
QUESTIONS = ("What?", "What is there? " * 3, "Where?")
FACTORS = {"short_factor": [1.0, 1.1, 1.2, 1.3], "long_factor": [1.0, 3.0, 9.0, 30.0]}


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny, open_pair):
    from transformers import Phi3Config

    folder = tmp_path_factory.mktemp("longrope")
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "original_max_position_embeddings": BORDER, **FACTORS}
    sizes = tiny["text_sizes"](len(tiny["make_processor"]().tokenizer))
    text = Phi3Config(**sizes, original_max_position_embeddings=BORDER, rope_parameters=rope)
    tiny["make_checkpoint"](folder / "checkpoint", seed=7, text=text)
    export_bundle(folder / "checkpoint", folder / "bundle")
    return open_pair(folder / "checkpoint", folder / "bundle")


@pytest.fixture
def model(pair):
    loaded = load_model(pair.bundle, threads=1)
    yield loaded
    loaded.close()


@pytest.mark.parametrize("sizes", [Sizes(1, BORDER + 20, 0), Sizes(1, 1, BORDER), Sizes(3, 2, BORDER - 1)])
def test_graph_turns_to_the_long_factors_where_the_checkpoint_does(pair, sizes):
    torch.manual_seed(0)
    decoder = parts_of(pair.model)[-1]
    decoder.more_sizes = (sizes,)
    check_part(decoder, pair.runners[decoder.name])


@pytest.mark.parametrize("rows", [1, 3])
def test_answers_are_the_checkpoints_and_end_at_the_border(pair, model, rows):
    frame = Frame(RGB)
    for question, answer in zip(
        QUESTIONS,
        ask_all(model, [Request(frame, question, FreeText(100)) for question in QUESTIONS], max_batch=rows),
        strict=True,
    ):
        prompt = pair.inputs(RGB, question)["input_ids"].shape[1]
        assert (answer.finish, answer.tokens) == (Finish.LENGTH, BORDER - prompt + 1)
        assert pair.same(answer.text, RGB, question, tokens=answer.tokens)


@pytest.mark.parametrize("rows", [1, 3])
def test_prompt_past_the_border_is_refused_in_any_batch(model, rows):
    """The picture is read with the short factors; transformers would turn all of such a prompt by the long ones."""
    requests = [Request(Frame(RGB), question, FreeText(4)) for question in ("?", "What is there? " * 12, "?")]
    with pytest.raises(BadQuestion, match=f"the model reads {BORDER}: ask more shortly"):
        list(ask_all(model, requests, max_batch=rows))


def test_export_says_how_much_the_bundle_reads(pair, tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("vlm_ros.export.graphs.export_graphs", lambda *_: {})
    with caplog.at_level(logging.WARNING):
        export_bundle(pair.bundle.folder.parent / "checkpoint", tmp_path / "bundle")
    assert f"the bundle reads {BORDER} tokens, picture, question and answer together" in caplog.text
