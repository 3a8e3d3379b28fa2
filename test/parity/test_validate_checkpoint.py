"""``vlm_ros validate --checkpoint``: a bundle beside the checkpoint it was exported from, and beside another one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
import transformers

from vlm_ros.cli import main
from vlm_ros.export.exporting import export_bundle

PARTS = ["vision_encoder", "embed_tokens", "decoder_model_merged"]


@dataclass(frozen=True)
class Pair:
    """A bundle of fp32 and int8, its checkpoint, and one of the same shape with other weights."""

    bundle: Path
    checkpoint: Path
    other: Path


@pytest.fixture(scope="module")
def pair(tmp_path_factory, tiny) -> Pair:
    folder = tmp_path_factory.mktemp("validate")
    text = transformers.LlamaConfig(**tiny["text_sizes"](len(tiny["make_processor"]().tokenizer)))
    pair = Pair(folder / "bundle", folder / "checkpoint", folder / "other")
    for seed, checkpoint in enumerate((pair.checkpoint, pair.other)):
        tiny["make_checkpoint"](checkpoint, seed=seed, text=text)
    export_bundle(pair.checkpoint, pair.bundle)
    assert main(["quantize", str(pair.bundle), "--precision", "int8", "--pictures", "1"]) == 0
    return pair


def findings(capsys: pytest.CaptureFixture[str], pair: Pair, checkpoint: Path, status: int) -> dict:
    words = ["validate", str(pair.bundle), "--checkpoint", str(checkpoint), "--pictures", "2", "--json"]
    assert main(words) == status
    return json.loads(capsys.readouterr().out)


def test_every_part_is_the_checkpoints_at_fp32_and_near_it_at_int8(capsys, pair):
    report = findings(capsys, pair, pair.checkpoint, 0)
    assert report["reference"] == str(pair.checkpoint)
    assert report["answers"]["fp32"] == 1.0
    worst = {(part["part"], part["precision"]): worst_of(part) for part in report["parts"]}
    assert {name for name, _ in worst} == set(PARTS)
    for part in PARTS:
        assert 0.0 <= worst[part, "fp32"]["max_absolute_error"] < 1e-4
        assert worst[part, "fp32"]["correlation"] > 0.999
        assert worst[part, "int8"]["mean_squared_error"] > worst[part, "fp32"]["mean_squared_error"]
    tokens = {part["precision"]: part["tokens"] for part in report["parts"] if part["part"] == "decoder_model_merged"}
    assert tokens["fp32"] == 1.0


def test_every_part_fails_beside_another_checkpoint(capsys, pair):
    report = findings(capsys, pair, pair.other, 1)
    assert not any(part["passed"] for part in report["parts"])
    assert report["answers"]["fp32"] < 0.5


def test_checkpoint_of_another_family_is_refused_by_name(capsys, pair, tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    assert main(["validate", str(pair.bundle), "--checkpoint", str(tmp_path)]) == 2
    assert "is of the family" in capsys.readouterr().err


def worst_of(part: dict) -> dict:
    """The figures of the output that correlates least."""
    return min(part["outputs"].values(), key=lambda figures: figures["correlation"])
