"""Weight-only quantisation: what it rounds, and what ONNX Runtime makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper
from parts import answers, chain, rows, weight

from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.precision.files import read_model, write_model
from vlm_ros.build.precision.weight_only import BLOCK, in_blocks, int4_weights, int8_weights, per_column
from vlm_ros.core.agreement import agreement_of


def wide(made) -> np.ndarray:
    scales = made.scales.repeat(made.block, axis=0) if made.block else made.scales
    return made.values.astype(np.float32) * scales


def test_error_is_at_most_half_a_step_when_a_column_has_its_own_scale() -> None:
    matrix = weight(64, 48) * np.logspace(-4, 4, 48, dtype=np.float32)
    error = np.abs(wide(per_column(matrix)) - matrix)
    assert np.all(error <= np.abs(matrix).max(axis=0) / 254 * 1.001)


def test_block_errs_less_than_with_its_largest_weight_as_the_end_of_the_scale() -> None:
    matrix = weight(256, 64)
    blocks = matrix.reshape(-1, BLOCK, 64)
    scale = np.abs(blocks).max(axis=1, keepdims=True) / 7
    plain = (np.rint(blocks / scale) * scale).reshape(matrix.shape)
    made = wide(in_blocks(matrix))
    assert np.mean((made - matrix) ** 2) < 0.95 * np.mean((plain - matrix) ** 2)


def test_scales_are_positive_when_a_block_is_zero() -> None:
    matrix = weight(64, 4)
    matrix[:, 1] = 0
    made = in_blocks(matrix)
    assert np.all(made.scales > 0)
    assert np.all(wide(made)[:, 1] == 0)


@pytest.mark.parametrize(("quantize", "share"), [(per_column, 1 / 254), (in_blocks, 0.3)])
def test_small_columns_stay_when_scales_are_fp16(quantize, share: float) -> None:
    """Down to scales that fp16 holds with few digits, and to those that it does not hold at all."""
    matrix = (weight(64, 48) * np.logspace(-7, 0, 48, dtype=np.float32)).astype(np.float16)
    made = quantize(matrix)
    assert made.scales.dtype == np.float16
    error = np.abs(wide(made) - matrix).max(axis=0)
    assert np.all(
        error <= np.abs(matrix).max(axis=0) * np.float32(share * 1.001) + np.finfo(np.float16).smallest_subnormal
    )


def test_weight_becomes_int8_when_blocks_do_not_fit(tmp_path: Path) -> None:
    model = chain(weight(40, 64), weight(64, 8))
    made = int4_weights(model)
    kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert kinds["w0_columns_values"] == TensorProto.INT8
    assert kinds["w1_columns_values"] == TensorProto.INT4
    feeds = rows(40)
    assert agreement_of(answers(made, feeds, tmp_path)["t1"], answers(model, feeds, tmp_path)["t1"]).correlation > 0.98


@pytest.mark.parametrize("narrow", [int8_weights, int4_weights])
def test_onnx_runtime_fuses_the_product(narrow, tmp_path: Path) -> None:
    if narrow is int8_weights and onnxruntime.__version__.startswith("1.23."):
        pytest.skip("ONNX Runtime 1.23, the newest for Python 3.10, fuses INT4 alone")
    write_model(narrow(chain(weight(64, 32))), tmp_path / "narrow.onnx")
    OnnxRuntimeBuilder(threads=1).build(tmp_path / "narrow.onnx", tmp_path / "engine")
    assert "MatMulNBits" in {node.op_type for node in onnx.load(tmp_path / "engine").graph.node}


@pytest.mark.parametrize(("inputs", "block"), [(256, 256), (192, 64)])
def test_columns_go_in_the_largest_blocks_that_fill_them(inputs: int, block: int, tmp_path: Path) -> None:
    if onnxruntime.__version__.startswith("1.23."):
        pytest.skip("ONNX Runtime 1.23, the newest for Python 3.10, fuses INT4 alone")
    write_model(int8_weights(chain(weight(inputs, 32))), tmp_path / "narrow.onnx")
    OnnxRuntimeBuilder(threads=1).build(tmp_path / "narrow.onnx", tmp_path / "engine")
    (product,) = (node for node in onnx.load(tmp_path / "engine").graph.node if node.op_type == "MatMulNBits")
    assert {attribute.name: attribute.i for attribute in product.attribute}["block_size"] == block


def test_gemm_with_a_transposed_weight_is_narrowed(tmp_path: Path) -> None:
    matrix = weight(64, 16)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], alpha=1.0, beta=1.0, transB=1)],  # as torch writes it
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 16])],
        [numpy_helper.from_array(matrix.T.copy(), "w"), numpy_helper.from_array(np.arange(16, dtype=np.float32), "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    feeds = rows(64)
    made = answers(int8_weights(model), feeds, tmp_path)["y"]
    assert agreement_of(made, feeds["x"] @ matrix + np.arange(16)).correlation > 0.9999


def test_one_narrow_weight_serves_two_products_that_share_it(tmp_path: Path) -> None:
    model = chain(weight(32, 32), weight(32, 32))
    model.graph.node[2].input[1] = "w0"
    made = int8_weights(model)
    assert [node.op_type for node in made.graph.node].count("DequantizeLinear") == 1
    assert {tensor.name for tensor in made.graph.initializer} == {"w0_columns_values", "w0_columns_scales"}
    feeds = rows(32)
    assert agreement_of(answers(made, feeds, tmp_path)["t1"], answers(model, feeds, tmp_path)["t1"]).correlation > 0.999


def test_large_weights_lie_in_a_file_beside_the_graph(tmp_path: Path) -> None:
    model, path = chain(weight(64, 64)), tmp_path / "part.onnx"
    feeds = rows(64)
    expected = answers(model, feeds, tmp_path)["t0"]
    for _ in range(2):  # also over what is there already
        write_model(chain(weight(64, 64)), path, one_file_bytes=1000)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "part.onnx", "part.onnx.data"]
    assert np.array_equal(answers(path, feeds, tmp_path)["t0"], expected)
    assert np.array_equal(answers(read_model(path), feeds, tmp_path)["t0"], expected)
