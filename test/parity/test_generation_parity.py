"""Free answers follow ``generation_config.json`` as transformers' ``generate`` does, one by one and in batches."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

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


def frame(seed):
    return Frame(np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8))


FREE = [Request(frame(seed), question, FreeText(TOKENS)) for seed, question in enumerate(("Ball?", "? " * 20, "?"))]


def answers(bundle, rows):
    """The texts of all ``FREE``, and what ``FORM`` gets with its confidence."""
    model = load_model(bundle, threads=1)
    *free, form = ask_all(model, [*FREE, Request(frame(0), "Ball?", FORM)], max_batch=rows)
    model.close()
    return [answer.text.rstrip(HALF_CHARACTER) for answer in free], (form.text, form.confidence)


@pytest.mark.parametrize("family", ["lfm2_vl", "qwen2_5_vl"])
def test_repetition_penalty_is_the_checkpoints_in_free_answers_alone(family, tmp_path):
    """The former's pictures have other tokens than the image's among them; the latter ships a penalty."""
    row, checkpoint = ROWS[family], tmp_path / "checkpoint"
    runpy.run_path(str(MAKE_TINY))[row.make](checkpoint, row.kind)
    export_bundle(checkpoint, tmp_path / "bundle")
    bundle = Bundle(tmp_path / "bundle")
    plain, form = answers(bundle, 1)
    for file in (checkpoint / "generation_config.json", bundle.folder / "generation_config.json"):
        file.write_text(json.dumps(json.loads(file.read_text()) | {"repetition_penalty": 1.2}))
    reference = open_reference(row, checkpoint)
    expected = [
        reference.answer(request.frame.rgb, request.question, TOKENS).rstrip(HALF_CHARACTER) for request in FREE
    ]
    assert all(text != without for text, without in zip(expected, plain, strict=True))
    for rows in (1, 2):
        free, constrained = answers(bundle, rows)
        assert free == expected
        assert constrained == (form[0], pytest.approx(form[1], rel=1e-4))
