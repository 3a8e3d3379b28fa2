"""Graphs as exporters write them seldom: at every precision they answer as before."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from parts import answers, rows, weight

from vlm_ros.build.precision.graph import names_of
from vlm_ros.build.precision.passes import PASSES
from vlm_ros.core.agreement import agreement_of

WIDTH = 64

every_precision = pytest.mark.parametrize("precision", PASSES)


def graph_of(nodes: list[onnx.NodeProto], weights: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """From ``x`` (batch, 64) to ``y`` (batch, any)."""
    graph = helper.make_graph(
        nodes,
        "odd",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def check_answers(model: onnx.ModelProto, precision: str, folder: Path, correlation: float = 0.98) -> None:
    """Hold ``model`` at ``precision`` against itself, in values and in how large they are."""
    feeds = rows(WIDTH)
    expected = answers(model, feeds, folder)["y"]
    made = answers(PASSES[precision](model, [feeds]), feeds, folder)["y"]
    agreement = agreement_of(made, expected)
    assert agreement.correlation > correlation
    assert np.linalg.norm(made - expected) < 0.2 * np.linalg.norm(expected)


@every_precision
@pytest.mark.parametrize("computed", [False, True])
def test_bias_keeps_its_factor(precision: str, computed: bool, tmp_path: Path) -> None:
    nodes = [helper.make_node("Gemm", ["x", "w", "c" if computed else "b"], ["y"], alpha=0.5, beta=0.25)]
    nodes = [helper.make_node("Abs", ["b"], ["c"]), *nodes] if computed else nodes
    bias = 20 * np.arange(16, dtype=np.float32)
    check_answers(graph_of(nodes, {"w": weight(WIDTH, 16), "b": bias}), precision, tmp_path)


@every_precision
def test_weight_is_no_input_when_it_was_listed_as_one(precision: str, tmp_path: Path) -> None:
    model = graph_of([helper.make_node("MatMul", ["x", "w"], ["y"])], {"w": weight(WIDTH, 16)})
    model.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, [WIDTH, 16]))
    check_answers(model, precision, tmp_path)
    assert [value.name for value in PASSES[precision](model, [rows(WIDTH)]).graph.input] == ["x"]


@every_precision
def test_scales_of_a_resize_stay_fp32(precision: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Resize", ["x", "", "scales"], ["larger"], mode="linear"),
        helper.make_node("MatMul", ["larger", "w"], ["y"]),
    ]
    weights = {"scales": np.array([2, 1], np.float32), "w": weight(WIDTH, 16)}
    check_answers(graph_of(nodes, weights), precision, tmp_path)


@every_precision
@pytest.mark.parametrize("made", ["ConstantOfShape", "Constant"])
def test_constants_that_name_no_type_are_fp32(precision: str, made: str, tmp_path: Path) -> None:
    constants = {
        "ConstantOfShape": helper.make_node("ConstantOfShape", ["sizes"], ["made"]),
        "Constant": helper.make_node("Constant", [], ["made"], value_float=0.5),
    }
    nodes = [
        helper.make_node("Shape", ["x"], ["sizes"]),
        constants[made],
        helper.make_node("Add", ["x", "made"], ["sum"]),
        helper.make_node("MatMul", ["sum", "w"], ["y"]),
    ]
    check_answers(graph_of(nodes, {"w": weight(WIDTH, 16)}), precision, tmp_path)


@every_precision
def test_names_that_a_precision_would_give_may_be_taken(precision: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Relu", ["x"], ["x_fp16"], "w_fp16_cast"),
        helper.make_node("MatMul", ["x", "w"], ["first"]),
        helper.make_node("MatMul", ["x_fp16", "w"], ["second"]),
        helper.make_node("Add", ["first", "second"], ["sum"]),
        helper.make_node("Mul", ["sum", "last_axis"], ["y"]),
    ]
    check_answers(graph_of(nodes, {"w": weight(WIDTH, 16), "last_axis": np.float32([2])}), precision, tmp_path)


@pytest.mark.parametrize("precision", [name for name in PASSES if name != "qdq"])  # there ONNX Runtime gives names
@pytest.mark.parametrize("by", ["weights", "results"])
def test_names_that_a_precision_gives_may_be_those_of_others(precision: str, by: str, tmp_path: Path) -> None:
    """Everything that is added to a graph is called otherwise where that has such names already."""
    nodes = [
        helper.make_node("ArgMax", ["x"], ["numbers"], axis=1, keepdims=0),
        helper.make_node("Gather", ["table", "numbers"], ["looked_up"]),
        helper.make_node("MatMul", ["looked_up", "v"], ["between"]),
        helper.make_node("Abs", ["b"], ["bias"]),
        helper.make_node("Gemm", ["between", "w", "bias"], ["sum_0"], transB=1, beta=0.25),
    ]
    weights = {"table": weight(WIDTH, 32), "v": weight(32, 48), "w": weight(16, 48), "b": weight(1, 16)[0]}
    last = helper.make_node("Identity", ["sum_0"], ["y"])
    model = graph_of([*nodes, last], weights)
    added = names_of(PASSES[precision](model, [rows(WIDTH)])) - names_of(model)
    for number, name in enumerate(sorted(added)):
        value = np.full(16, 0.1 * (-1) ** number, np.float32)
        weights[name if by == "weights" else f"c{number}"] = value
        if by == "results":
            nodes.append(helper.make_node("Relu", [f"c{number}"], [name]))
        nodes.append(helper.make_node("Add", [f"sum_{number}", name], [f"sum_{number + 1}"]))
    last.input[0] = f"sum_{len(added)}"
    check_answers(graph_of([*nodes, last], weights), precision, tmp_path)


@every_precision
def test_doubles_stay(precision: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["double"], to=TensorProto.DOUBLE),
        helper.make_node("MatMul", ["double", "w"], ["product"]),
        helper.make_node("Cast", ["product"], ["y"], to=TensorProto.FLOAT),
    ]
    check_answers(graph_of(nodes, {"w": weight(WIDTH, 16).astype(np.float64)}), precision, tmp_path)


@every_precision
@pytest.mark.parametrize("columns", [WIDTH, 32])
@pytest.mark.parametrize("transposed_first", [False, True])
def test_weight_that_is_read_both_ways_has_scales_for_both(
    precision: str, columns: int, transposed_first: bool, tmp_path: Path
) -> None:
    shape = (columns, WIDTH) if transposed_first else (WIDTH, columns)
    products = {"MatMul": {}, "Gemm": {"transB": 1}}
    first, second = reversed(products) if transposed_first else products
    nodes = [
        helper.make_node(first, ["x", "w"], ["product"], **products[first]),
        helper.make_node("Tanh", ["product"], ["between"]),
        helper.make_node(second, ["between", "w"], ["y"], **products[second]),
    ]
    columns_apart = weight(*shape) * np.geomspace(0.03, 3, shape[1], dtype=np.float32)
    check_answers(graph_of(nodes, {"w": columns_apart}), precision, tmp_path)


@every_precision
def test_stack_of_weights_stays(precision: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Unsqueeze", ["x", "axis"], ["rows"]),
        helper.make_node("MatMul", ["rows", "stack"], ["y"]),
    ]
    stack = np.stack([weight(WIDTH, 16, seed) for seed in range(8)])
    check_answers(graph_of(nodes, {"axis": np.array([1]), "stack": stack}), precision, tmp_path)


@every_precision
@pytest.mark.parametrize("empty", ["outputs", "inputs"])
def test_product_of_nothing_stays(precision: str, empty: str, tmp_path: Path) -> None:
    """As of an adapter of rank 0, which adds nothing."""
    nodes = [
        helper.make_node("MatMul", ["x", "down"], ["nothing"]),
        helper.make_node("MatMul", ["nothing", "up"], ["zeros"]),
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Add", ["product", "zeros"], ["y"]),
    ]
    if empty == "inputs":
        nodes[0] = helper.make_node("Slice", ["x", "none", "none", "axis"], ["nothing"])
    weights = {"down": weight(WIDTH, 0), "up": np.zeros((0, 16), np.float32), "w": weight(WIDTH, 16)}
    numbers = {"none": np.array([0]), "axis": np.array([1])}
    check_answers(graph_of(nodes, {**weights, **numbers}), precision, tmp_path)


@every_precision
@pytest.mark.parametrize("shape", [(), (1,), (1, 16), (8, 1), (8, 16)], ids=str)
def test_bias_may_have_any_shape(precision: str, shape: tuple[int, ...], tmp_path: Path) -> None:
    bias = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    nodes = [helper.make_node("Gemm", ["x", "w", "b"], ["y"])]
    check_answers(graph_of(nodes, {"w": weight(WIDTH, 16), "b": bias}), precision, tmp_path)


@every_precision
def test_table_may_be_the_weight_of_the_product_with_its_rows(precision: str, tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ArgMax", ["x"], ["numbers"], axis=1, keepdims=0),
        helper.make_node("Gather", ["table", "numbers"], ["looked_up"]),
        helper.make_node("Gemm", ["looked_up", "table"], ["y"], transB=1),
    ]
    check_answers(graph_of(nodes, {"table": weight(WIDTH, 32)}), precision, tmp_path)
