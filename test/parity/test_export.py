"""Exports of checkpoints as they come: stored in half precision, incomplete, large."""

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import ClassVar

import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
from safetensors.torch import load_file, save_file

from vlm_ros.build.packing import verify
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, ExportFailed
from vlm_ros.export import onnx_export
from vlm_ros.export.exporting import export_bundle
from vlm_ros.export.greedy import check_tokens
from vlm_ros.export.llava import load_checkpoint, parts_of
from vlm_ros.export.part import Part
from vlm_ros.export.resting import rest_on_disk
from vlm_ros.export.validation import check_part
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

BUNDLES = Path(__file__).parents[1] / "bundles"


@pytest.fixture
def weights(checkpoint):
    """The checkpoint's weights file."""
    return checkpoint / "model.safetensors"


def test_committed_bundle_answers_as_the_checkpoint_of_its_script(checkpoint):
    model = load_checkpoint(checkpoint)
    bundle = Bundle(BUNDLES / "tiny_llava")
    runners = {part.name: OnnxRuntimeRunner(bundle.onnx(part.name)) for part in parts_of(model)}
    with ExitStack() as stack:
        for part in parts_of(model):
            stack.callback(runners[part.name].deactivate)
            runners[part.name].activate()
            check_part(part, runners[part.name])
        check_tokens(model, runners)


def test_graphs_are_in_float32_when_the_checkpoint_is_stored_in_float16(checkpoint, weights, tmp_path):
    save_file({name: tensor.half() for name, tensor in load_file(weights).items()}, weights, {"format": "pt"})
    agreements = export_bundle(checkpoint, tmp_path / "bundle")
    assert all(agreement.accepted for agreement in agreements.values())
    runner = OnnxRuntimeRunner(Bundle(tmp_path / "bundle").onnx("embed_tokens"))
    runner.activate()
    assert runner.outputs["inputs_embeds"].dtype == "float32"


def test_missing_weights_are_named(checkpoint, weights, tmp_path):
    tensors = load_file(weights)
    del tensors["multi_modal_projector.linear_1.weight"]
    save_file(tensors, weights, {"format": "pt"})
    with pytest.raises(BadBundle, match=r"lacks 1 weights.*multi_modal_projector\.linear_1\.weight"):
        export_bundle(checkpoint, tmp_path / "bundle")
    assert not (tmp_path / "bundle").exists()


def test_export_replaces_graphs_and_keeps_foreign_files_when_the_bundle_is_there(checkpoint, tmp_path):
    out = tmp_path / "bundle"
    (out / "onnx").mkdir(parents=True)
    (out / "onnx" / "decoder_model_merged_q4.onnx").write_text("of older weights")
    (out / "README.md").write_text("measured")
    export_bundle(checkpoint, out)
    assert (out / "README.md").read_text() == "measured"
    assert Bundle(out).parts == ("decoder_model_merged", "embed_tokens", "vision_encoder")
    assert not (out / "onnx" / "decoder_model_merged_q4.onnx").exists()
    assert verify(out) == []


def test_weights_get_a_file_of_their_own_when_they_are_many(checkpoint, tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_export, "ONE_FILE_BYTES", 10_000)
    part = next(part for part in parts_of(load_checkpoint(checkpoint)) if part.name == "embed_tokens")
    path = tmp_path / "embed_tokens.onnx"
    onnx_export.write_onnx(part, path, 20)
    assert (tmp_path / "embed_tokens.onnx.data").stat().st_size >= part.table.weight.nbytes > path.stat().st_size
    runner = OnnxRuntimeRunner(path)
    runner.activate()
    torch.manual_seed(0)
    assert check_part(part, runner).accepted


class Branching(Part):
    """What torch cannot export: a way that depends on a value."""

    name = "branching"
    axes: ClassVar = {"values": {0: "batch"}}

    def draw(self, sizes):
        return {"values": torch.ones(sizes.batch, 4)}

    def forward(self, inputs):
        if inputs["values"].sum() > 1:
            return {"result": inputs["values"] + 1}
        return {"result": inputs["values"]}


def test_failure_of_the_exporter_is_one_sentence_and_the_rest_is_in_a_file(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ExportFailed) as failed:
        onnx_export.write_onnx(Branching(), tmp_path / "branching.onnx", 20)
    said = str(failed.value)
    assert "test_export.py:" in said and 'if inputs["values"].sum() > 1:' in said
    assert len(said) < 700
    assert "\n" not in said
    assert capfd.readouterr() == ("", "")
    (log,) = tmp_path.glob("vlm_ros_export_*.log")
    assert str(log) in said
    assert "Traceback" in log.read_text()


def test_large_weights_lie_in_a_file_while_a_model_is_exported(tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(600, 600), torch.nn.Linear(600, 600))
    model[1].weight = model[0].weight
    inputs = torch.randn(2, 600)
    expected = model(inputs)
    rest_on_disk(model, tmp_path)
    assert torch.equal(model(inputs), expected)
    assert model[1].weight is model[0].weight
    assert list(tmp_path.iterdir()) == []
    assert f"{tmp_path}/0.weights (deleted)" in Path("/proc/self/maps").read_text()
