"""What the tests of bundles from elsewhere share: our tiny bundle, changed, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"
VISION, EMBED, DECODER = "vision_encoder", "embed_tokens", "decoder_model_merged"
QUESTIONS = ("Is there a red ball?", "Describe the scene.")
Change = Callable[[onnx.ModelProto], None]


def answers(bundle: Bundle, precision: str = "") -> list[tuple[str, float]]:
    """What the model says of two questions about one picture, and how sure it is."""
    frame = picture(5)
    model = load_model(bundle, threads=1, precision=precision)
    try:
        observation = model.observe(frame)
        given = [observation.ask(question, FreeText(max_tokens=8)) for question in QUESTIONS]
    finally:
        model.close()
    return [(answer.text, answer.confidence) for answer in given]


def picture(seed: int) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 256, (40, 60, 3), dtype=np.uint8))


def change(folder: Path, part: str, *changes: Change, name: str = "") -> None:
    """Write the part of our bundle as ``changes`` make it."""
    model = onnx.load(TINY / "onnx" / f"{part}.onnx")
    for apply in changes:
        apply(model)
    onnx.save(model, folder / "onnx" / f"{name or part}.onnx")


def same(given: list[tuple[str, float]], expected: list[tuple[str, float]], tolerance: float = 1e-4) -> bool:
    texts = [text for text, _ in given] == [text for text, _ in expected]
    return texts and all(
        confidence == pytest.approx(wanted, rel=tolerance)
        for (_, confidence), (_, wanted) in zip(given, expected, strict=True)
    )
