"""INT8 activations: each token on a scale of its own, and one product in integers for ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from parts import answers, chain, rows, weight

from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.precision.files import write_model
from vlm_ros.build.precision.per_token import dynamic_int8
from vlm_ros.core.agreement import agreement_of


def test_token_comes_out_the_same_when_others_stand_beside_it(tmp_path: Path) -> None:
    model = dynamic_int8(chain(weight(64, 32)))
    tokens = rows(64)["x"] * np.logspace(-3, 3, 8, dtype=np.float32)[:, np.newaxis]
    together = answers(model, {"x": tokens}, tmp_path)["t0"]
    alone = [answers(model, {"x": token[np.newaxis]}, tmp_path)["t0"][0] for token in tokens]
    np.testing.assert_array_equal(together, alone)


def test_small_tokens_keep_their_digits_when_one_beside_them_is_large(tmp_path: Path) -> None:
    model = chain(weight(64, 32))
    tokens = rows(64)["x"] * np.logspace(-3, 3, 8, dtype=np.float32)[:, np.newaxis]
    made, expected = (answers(graph, {"x": tokens}, tmp_path)["t0"] for graph in (dynamic_int8(model), model))
    for token, wanted in zip(made, expected, strict=True):
        assert agreement_of(token, wanted).correlation > 0.99


def test_token_of_zeros_stays_zero(tmp_path: Path) -> None:
    made = answers(dynamic_int8(chain(weight(64, 32))), {"x": np.zeros((2, 64), np.float32)}, tmp_path)["t0"]
    np.testing.assert_array_equal(made, 0)


def test_bias_is_added_after_the_product_when_a_gemm_has_one(tmp_path: Path) -> None:
    matrix, bias = weight(64, 16), 100 * np.arange(16, dtype=np.float32)
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "w", "b"], ["y"], transB=1)],
        "gemm",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 16])],
        [numpy_helper.from_array(matrix.T.copy(), "w"), numpy_helper.from_array(bias, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    feeds = rows(64)
    made = answers(dynamic_int8(model), feeds, tmp_path)["y"] - bias
    assert agreement_of(made, feeds["x"] @ matrix).correlation > 0.999


def test_onnx_runtime_multiplies_in_integers_when_products_share_their_tokens(tmp_path: Path) -> None:
    model = chain(weight(64, 32), weight(64, 32))
    model.graph.node[2].input[0] = "x"
    model.graph.output.append(helper.make_tensor_value_info("t0", TensorProto.FLOAT, ["batch", 32]))
    write_model(dynamic_int8(model), tmp_path / "narrow.onnx")
    OnnxRuntimeBuilder(threads=1).build(tmp_path / "narrow.onnx", tmp_path / "engine")
    kinds = [node.op_type for node in onnx.load(tmp_path / "engine").graph.node]
    assert kinds.count("MatMulIntegerToFloat") == 2
    assert kinds.count("QuantizeLinear") == 1
    assert "MatMul" not in kinds


def swiglu() -> onnx.ModelProto:
    """Two projections of 64, one through SiLU, multiplied and projected to 32; then the last row alone, projected."""
    made = [helper.make_node("MatMul", ["x", name], [f"{name}_out"]) for name in ("gate", "up")]
    nodes = [
        *made,
        helper.make_node("Sigmoid", ["gate_out"], ["sigmoid"]),
        helper.make_node("Mul", ["gate_out", "sigmoid"], ["silu"]),
        helper.make_node("MatMul", ["silu", "beside"], ["beside_out"]),
        helper.make_node("Mul", ["silu", "up_out"], ["gated"]),
        helper.make_node("MatMul", ["gated", "down"], ["down_out"]),
        helper.make_node("Slice", ["down_out", "last", "end", "rows"], ["last_row"]),
        helper.make_node("MatMul", ["last_row", "head"], ["head_out"]),
    ]
    sizes = {"gate": (64, 64), "up": (64, 64), "beside": (64, 32), "down": (64, 32), "head": (32, 32)}
    numbers = {"last": -1, "end": np.iinfo(np.int64).max, "rows": 0}
    graph = helper.make_graph(
        nodes,
        "swiglu",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 64])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("beside_out", "head_out")],
        [
            *(numpy_helper.from_array(weight(*size), name) for name, size in sizes.items()),
            *(numpy_helper.from_array(np.array([number], np.int64), name) for name, number in numbers.items()),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def test_activations_stay_wide_behind_a_gate_and_where_the_last_row_is_alone() -> None:
    rounded = {node.input[0] for node in dynamic_int8(swiglu()).graph.node if node.op_type == "QuantizeLinear"}
    assert rounded == {"x_share", "silu_share"}


def test_gated_graph_answers_as_before(tmp_path: Path) -> None:
    feeds = rows(64)
    made, expected = (answers(graph, feeds, tmp_path)["head_out"] for graph in (dynamic_int8(swiglu()), swiglu()))
    assert agreement_of(made, expected).correlation > 0.999
