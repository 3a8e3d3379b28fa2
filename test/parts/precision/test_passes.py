"""Every precision of every part: valid by the standard, smaller, close, and a pure function of the fp32 graph."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from parts import TINY, answers, tiny_feeds

from vlm_ros.build.precision.files import read_model
from vlm_ros.build.precision.passes import PASSES, write_part
from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig, BuildFailed
from vlm_ros.core.onnx_files import MADE_HERE

PARTS = ("decoder_model_merged", "embed_tokens", "vision_encoder")

CLOSE, ROUGH = 0.99, 0.9
"""Correlations that random weights, 32 to a row, keep; real weights keep more."""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return Bundle(shutil.copytree(TINY, tmp_path / "tiny"))


@pytest.mark.parametrize("precision", PASSES)
@pytest.mark.parametrize("part", PARTS)
def test_part_is_valid_smaller_and_close(bundle: Bundle, part: str, precision: str, tmp_path: Path) -> None:
    feeds = tiny_feeds(part)
    path = write_part(bundle, part, precision, [feeds])
    assert path == bundle.onnx(part, precision)
    onnx.checker.check_model(str(path))
    assert {entry.domain for entry in onnx.load(path).opset_import} <= {"", "ai.onnx"}
    assert path.stat().st_size < bundle.onnx(part).stat().st_size
    expected, made = answers(bundle.onnx(part), feeds, tmp_path), answers(path, feeds, tmp_path)
    for name, array in expected.items():
        assert agreement_of(made[name], array).correlation > (ROUGH if "q4" in precision else CLOSE), name


def test_what_bundles_say_can_be_made_is_what_can_be_made() -> None:
    assert set(MADE_HERE) == set(PASSES)


def test_graph_stays_as_it_was_when_a_pass_reads_it(bundle: Bundle) -> None:
    for part in PARTS:
        model = read_model(bundle.onnx(part))
        before = model.SerializeToString()
        for make in PASSES.values():
            make(model, [tiny_feeds(part)])
        assert model.SerializeToString() == before


def test_edges_keep_their_types_but_for_the_cache(bundle: Bundle) -> None:
    part = "decoder_model_merged"
    graph = onnx.load(write_part(bundle, part, "q4f16", [tiny_feeds(part)])).graph
    kinds = {value.name: value.type.tensor_type.elem_type for value in (*graph.input, *graph.output)}
    assert kinds["inputs_embeds"] == kinds["logits"] == onnx.TensorProto.FLOAT
    assert kinds["past_key_values.1.value"] == kinds["present.0.key"] == onnx.TensorProto.FLOAT16


def test_precision_is_refused_by_name_when_it_cannot_be_made(bundle: Bundle) -> None:
    with pytest.raises(BadConfig, match="q5"):
        write_part(bundle, "embed_tokens", "q5", [])


def test_nothing_is_left_when_the_folder_cannot_be_written(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted((bundle.folder / "onnx").iterdir())

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx, "save_model", full)
    with pytest.raises(BuildFailed, match="embed_tokens_q4.onnx.*No space"):
        write_part(bundle, "embed_tokens", "q4", [])
    assert sorted((bundle.folder / "onnx").iterdir()) == before


def test_same_file_comes_out_when_made_twice(bundle: Bundle) -> None:
    feeds = [tiny_feeds("vision_encoder")]
    first, second = (write_part(bundle, "vision_encoder", "q4", feeds).read_bytes() for _ in range(2))
    assert first == second
    assert np.any(np.frombuffer(first, np.uint8))
