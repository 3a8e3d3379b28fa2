"""The whole of ``vlm_ros bench`` on a model that takes seconds."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import onnxruntime as ort
import pytest

from vlm_ros.benchmark.bandwidth import MemoryReader, measured_bandwidth
from vlm_ros.benchmark.material import make_material
from vlm_ros.build import preflight
from vlm_ros.core.errors import NotEnoughMemory

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"


def bench(*arguments, cache):
    command = [
        sys.executable,
        "-m",
        "vlm_ros.cli",
        "bench",
        "--cache",
        cache,
        "--rounds",
        "1",
        "--tokens",
        "4",
        *arguments,
    ]
    return subprocess.run([*map(str, command)], env={**os.environ}, capture_output=True, text=True, timeout=250)


def test_bundle_without_a_checkpoint_is_measured_alone(tmp_path):
    done = bench("--model", TINY, "--precision", "fp32,q4", "--json", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    content = json.loads(done.stdout.splitlines()[-1])
    assert content["peer"] is None
    assert list(content["precisions"]) == ["fp32"]
    assert content["notes"] == ["q4: the model has no such files"]
    assert content["precisions"]["fp32"]["parts_ms"]["vision_encoder"] > 0
    assert content["precisions"]["fp32"]["bandwidth_share"] > 0
    assert content["machine"]["bandwidth_gbps"] == content["precisions"]["fp32"]["bandwidth_gbps"]
    assert content["start_to_first_answer_s"] > 0
    assert {path.name for path in (tmp_path / "report").iterdir()} == {"bench.json", "bench.csv", "bench.png"}


def test_auto_says_what_was_chosen_for_each_part(tmp_path):
    shutil.copytree(TINY, tmp_path / "tiny")
    done = bench("--model", tmp_path / "tiny", "--precision", "auto", "--json", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    (note,) = json.loads(done.stdout.splitlines()[-1])["notes"]
    assert note.startswith("auto: decoder_model_merged ")


@pytest.mark.skipif("CUDAExecutionProvider" in ort.get_available_providers(), reason="there is one here")
def test_a_gpu_that_onnx_runtime_cannot_use_is_refused_before_anything_is_made(tmp_path):
    done = bench("--model", TINY, "--provider", "cuda", cache=tmp_path / "cache")
    assert done.returncode == 2
    assert "CUDAExecutionProvider" in done.stderr and "onnxruntime-gpu" in done.stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.slow
def test_made_model_is_measured_against_transformers(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    done = bench("--parameters", "1e6", "--precision", "fp32", "--json", cache=tmp_path)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])["precisions"]["fp32"]
    assert figures["logits_pearson"] > 0.9999
    assert 0 < figures["rss_ratio"] < 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--precision", "fp33"),
        ("--threads", "0"),
        ("--tokens", "2"),
        *[("--parameters", value) for value in ("nan", "inf", "-5.0", "0.0")],
    ],
)
def test_value_is_refused_by_name(option, value, tmp_path):
    done = bench(option, value, cache=tmp_path)
    assert done.returncode == 2
    assert value in done.stderr.splitlines()[-1]


def test_model_that_would_not_fit_is_refused_before_it_is_drawn(tmp_path, monkeypatch):
    monkeypatch.setattr(preflight, "available_bytes", lambda **_: 5_000_000)
    with pytest.raises(NotEnoughMemory, match=r"2 million weights take 0\.01 GB.*--parameters"):
        make_material(tmp_path, 2e6, (), lambda message, share: None)
    assert not list(tmp_path.iterdir())


def test_bandwidth_is_measured():
    assert 0.1 < MemoryReader(2, size_bytes=8 << 20).gbps() < 10_000


def test_bandwidth_is_measured_as_often_as_it_is_asked():
    with measured_bandwidth(1) as bandwidth_gbps:
        assert all(0.1 < bandwidth_gbps() < 10_000 for _ in range(2))
