"""ONNX Runtime's CUDA provider for real: the processor's answers, with a cache that stays on the GPU."""

from __future__ import annotations

import numpy as np

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.opening import runner_for

PICTURE = Frame(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))


def test_answers_are_the_processors(tiny: Bundle) -> None:
    models = [load_model(tiny, threads=1), load_model(tiny, cuda=True)]
    said = [model.observe(PICTURE).ask("What is in the image?", FreeText(24)).text for model in models]
    assert said[0] == said[1]


def test_cache_stays_on_the_gpu(tiny: Bundle) -> None:
    runner = runner_for(tiny.onnx("embed_tokens"), cuda=True)
    runner.activate()
    kept = runner.run({"input_ids": np.array([[1, 2]])}, keep=["inputs_embeds"])["inputs_embeds"]
    assert kept.value.device_name() == "cuda"
