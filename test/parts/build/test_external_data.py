"""Where a graph keeps its weights, wherever in the graph they are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_bytes import field, model, model_with_data, tensor

from vlm_ros.build.external_data import external_files, total_bytes
from vlm_ros.core.errors import BadBundle


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.bin").write_bytes(b"b" * 20)
    (tmp_path / "a.onnx_data").write_bytes(b"a" * 30)
    return tmp_path / "a.onnx"


def test_nothing_is_found_when_all_weights_are_inside(onnx: Path) -> None:
    onnx.write_bytes(model(field(5, b"")))
    assert external_files(onnx) == ()


def test_each_file_is_found_once_when_many_weights_share_it(onnx: Path) -> None:
    onnx.write_bytes(model_with_data("a.onnx_data", "deep/b.bin", "a.onnx_data"))
    assert external_files(onnx) == (onnx.parent / "a.onnx_data", onnx.parent / "deep/b.bin")
    assert total_bytes(onnx) == onnx.stat().st_size + 50


WHERE = {
    "constant": field(1, field(5, field(5, tensor("a.onnx_data")))),
    "list of constants": field(1, field(5, field(10, tensor("a.onnx_data")))),
    "branch": field(1, field(5, field(6, field(5, tensor("a.onnx_data"))))),
    "branch in a branch": field(1, field(5, field(11, field(1, field(5, field(6, field(5, tensor("a.onnx_data")))))))),
    "sparse weight": field(15, field(1, tensor("a.onnx_data"))),
}


@pytest.mark.parametrize("where", WHERE)
def test_file_is_found_when_named_deep_in_the_graph(onnx: Path, where: str) -> None:
    onnx.write_bytes(model(WHERE[where]))
    assert external_files(onnx) == (onnx.parent / "a.onnx_data",)


def test_file_is_found_when_named_in_a_function(onnx: Path) -> None:
    onnx.write_bytes(field(25, field(7, field(5, field(5, tensor("a.onnx_data"))))))
    assert external_files(onnx) == (onnx.parent / "a.onnx_data",)


@pytest.mark.parametrize("location", ["/etc/passwd", "../a.onnx_data", "deep/../../x", "..", ""])
def test_refused_when_weights_lie_outside_the_folder(onnx: Path, location: str) -> None:
    onnx.write_bytes(model_with_data(location))
    with pytest.raises(BadBundle, match="outside its own folder"):
        external_files(onnx)


def test_missing_file_is_named(onnx: Path) -> None:
    onnx.write_bytes(model_with_data("gone.bin"))
    with pytest.raises(BadBundle, match="gone.bin"):
        external_files(onnx)


@pytest.mark.parametrize("cut", [1, 5, 20, 40])
def test_bad_bundle_when_the_file_is_cut(onnx: Path, cut: int) -> None:
    onnx.write_bytes(model_with_data("a.onnx_data")[:-cut])
    with pytest.raises(BadBundle, match="not a whole ONNX file"):
        external_files(onnx)


@pytest.mark.parametrize("content", [b"", b"\xff" * 64, b"hello, this is no graph at all"])
def test_bad_bundle_when_it_is_no_graph(onnx: Path, content: bytes) -> None:
    onnx.write_bytes(content)
    with pytest.raises(BadBundle, match="not a whole ONNX file"):
        external_files(onnx)


def test_the_same_is_found_when_the_onnx_package_writes_the_file(onnx: Path) -> None:
    package = pytest.importorskip("onnx")
    import numpy as np

    weight = package.numpy_helper.from_array(np.ones((8, 8), np.float32), "w")
    made = package.helper.make_graph([package.helper.make_node("Identity", ["w"], ["y"])], "g", [], [], [weight])
    made.output.append(package.helper.make_tensor_value_info("y", package.TensorProto.FLOAT, [8, 8]))
    content = package.helper.make_model(made)
    package.save(content, str(onnx), save_as_external_data=True, location="w.data", size_threshold=0)
    assert external_files(onnx) == (onnx.parent / "w.data",)
