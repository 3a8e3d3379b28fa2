"""ONNX Runtime's CUDA provider for real: the processor's answers, with a cache that stays on the GPU."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

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


def test_bench_compares_with_transformers_on_the_same_gpu(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch has no CUDA")
    command = [sys.executable, "-m", "vlm_ros.cli", "bench", "--provider", "cuda", "--parameters", "1e6"]
    command += ["--precision", "fp32", "--rounds", "1", "--tokens", "4", "--json", "--cache", str(tmp_path)]
    done = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout.splitlines()[-1])["precisions"]["fp32"]
    assert measured["logits_pearson"] > 0.995
    assert measured["decode_ratio"] > 0
