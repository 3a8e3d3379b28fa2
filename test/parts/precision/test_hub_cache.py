"""A model as it lies in the hub's own cache: every file is a link to a blob, weights beside their graphs among them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from parts import TINY, weight
from PIL import Image

from vlm_ros.build.lowering.files import lowered_file
from vlm_ros.build.precision.files import read_model
from vlm_ros.cli import main
from vlm_ros.core.errors import BadBundle

ERROR = 2
PARTS = ("vision_encoder", "embed_tokens", "decoder_model_merged")


def save_apart(model: onnx.ModelProto, path: Path) -> None:
    onnx.save(model, path, save_as_external_data=True, location=f"{path.name}_data", size_threshold=100)


def link_to_blobs(folder: Path) -> None:
    """Move every file below ``folder`` beside it and leave a link, as the hub's client does."""
    blobs = folder.parent / "blobs"
    blobs.mkdir()
    files = [path for path in folder.rglob("*") if path.is_file()]
    for number, path in enumerate(files):
        path.symlink_to(os.path.relpath(path.replace(blobs / f"{number:040x}"), path.parent))


@pytest.fixture
def snapshot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = shutil.copytree(TINY, tmp_path / "snapshot")
    for part in PARTS:
        path = folder / "onnx" / f"{part}.onnx"
        save_apart(onnx.load(path), path)
    link_to_blobs(folder)
    return folder


def test_every_command_takes_it(snapshot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (32, 32, 3), np.uint8)).save(tmp_path / "0.png")
    looking = ["--images", str(tmp_path), "--pictures", "1"]
    assert main(["quantize", str(snapshot), "--precision", "int8", *looking]) == 0
    assert main(["validate", str(snapshot), "--precision", "int8", *looking]) != ERROR
    assert main(["build", str(snapshot)]) == 0
    engine = next((tmp_path / "cache").rglob("decoder_model_merged-*/engine"))
    kinds = {node.op_type for node in onnx.load(engine, load_external_data=False).graph.node}
    assert "GroupQueryAttention" in kinds, "the cache does not grow in place"
    assert main(["build", str(snapshot), "--precision", "auto", *looking]) == 0


@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["link", "second name"])
def test_weights_are_read_through_links(link: Callable[[Path, Path], None], tmp_path: Path) -> None:
    model = onnx.load(TINY / "onnx" / "embed_tokens.onnx")
    (tmp_path / "bundle").mkdir()
    save_apart(onnx.load(TINY / "onnx" / "embed_tokens.onnx"), tmp_path / "bundle" / "a.onnx")
    data = tmp_path / "bundle" / "a.onnx_data"
    link(data.replace(tmp_path / "blob"), data)
    read = read_model(tmp_path / "bundle" / "a.onnx")
    assert [numpy_helper.to_array(tensor).tolist() for tensor in read.graph.initializer] == [
        numpy_helper.to_array(tensor).tolist() for tensor in model.graph.initializer
    ]


def test_weights_that_were_cut_off_are_named(tmp_path: Path) -> None:
    save_apart(onnx.load(TINY / "onnx" / "embed_tokens.onnx"), tmp_path / "a.onnx")
    (tmp_path / "a.onnx_data").write_bytes(bytes(64))
    with pytest.raises(BadBundle, match="a.onnx' is not a whole ONNX file .'a.onnx_data' ends within the weight"):
        read_model(tmp_path / "a.onnx")


def test_newer_operators_are_written_out(tmp_path: Path) -> None:
    """Where a constant must be computed beforehand of weights that lie beside the graph."""
    make = helper.make_node
    nodes = [
        make("Neg", ["offset"], ["negative"]),
        make("Add", ["x", "negative"], ["moved"]),
        make("RMSNormalization", ["moved", "scale"], ["y"], axis=-1),
    ]
    edges = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["rows", 32]) for name in "xy"]
    weights = [numpy_helper.from_array(weight(1, 32, seed)[0], name) for seed, name in enumerate(("offset", "scale"))]
    graph = helper.make_graph(nodes, "newer", edges[:1], edges[1:], weights)
    (tmp_path / "snapshot").mkdir()
    (tmp_path / "work").mkdir()
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)
    save_apart(model, tmp_path / "snapshot" / "a.onnx")
    link_to_blobs(tmp_path / "snapshot")
    path = lowered_file(tmp_path / "snapshot" / "a.onnx", ["RMSNormalization"], tmp_path / "work")
    written = read_model(path)
    assert "RMSNormalization" not in {node.op_type for node in written.graph.node}
    assert {tensor.name for tensor in written.graph.initializer} >= {"scale"}
