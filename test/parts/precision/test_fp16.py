"""Half precision keeps single precision where the measured numbers need it, and only there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from parts import answers, chain, rows, weight

from vlm_ros.build.precision.fp16 import fp16_from_fp32
from vlm_ros.build.precision.ranges import measured_peaks
from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.errors import BuildFailed

WIDTH = 32


def kinds_of(model: onnx.ModelProto) -> dict[str, int]:
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True)
    return {value.name: value.type.tensor_type.elem_type for value in inferred.graph.value_info}


def test_all_is_fp16_when_numbers_are_ordinary() -> None:
    made = fp16_from_fp32(chain(weight(WIDTH, WIDTH), weight(WIDTH, WIDTH)), [rows(WIDTH)])
    assert kinds_of(made)["product_0"] == kinds_of(made)["product_1"] == TensorProto.FLOAT16


@pytest.mark.parametrize("factor", [1e6, 1e-8], ids=["overflow", "underflow"])
def test_fp32_is_kept_where_a_product_leaves_fp16(factor: float, tmp_path: Path) -> None:
    model = chain(weight(WIDTH, WIDTH), weight(WIDTH, WIDTH) * factor, weight(WIDTH, WIDTH) / min(factor, 1))
    feeds = rows(WIDTH)
    made = fp16_from_fp32(model, [feeds])
    kinds = kinds_of(made)
    assert kinds["product_0"] == TensorProto.FLOAT16
    assert kinds["product_1"] == TensorProto.FLOAT
    expected = answers(model, feeds, tmp_path)["t2"]
    assert agreement_of(answers(made, feeds, tmp_path)["t2"], expected).correlation > 0.999


def test_mask_is_no_overflow_when_it_stands_for_minus_infinity() -> None:
    feeds = rows(WIDTH)
    feeds["x"][0, 0] = np.finfo(np.float32).min
    peaks = measured_peaks(chain(weight(WIDTH, 4)), [{"x": feeds["x"][:1] * 1}, {"x": feeds["x"][1:]}])
    assert peaks["x"].magnitude < 10


@pytest.mark.parametrize("factor", [1.0, 300.0, 1e-3], ids=["ordinary", "large", "small"])
@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        ("ReduceL2", {"keepdims": 1}),
        ("LpNormalization", {"axis": -1}),
        ("LpNormalization", {"axis": -1, "p": 1}),
        ("MeanVarianceNormalization", {"axes": [1]}),
    ],
    ids=str,
)
def test_squares_inside_a_norm_count(operator: str, attributes: dict, factor: float) -> None:
    """300 times and a thousandth of ordinary numbers are in fp16's range, and their squares are not."""
    model = chain(weight(WIDTH, WIDTH))
    scaled = onnx.helper.make_node("Mul", ["t0", "factor"], ["scaled"], "scaled")
    node = onnx.helper.make_node(operator, ["scaled"], ["norm"], "norm", **attributes)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(factor), "factor"))
    model.graph.node.extend([scaled, node])
    del model.graph.output[:]
    model.graph.output.append(onnx.helper.make_tensor_value_info("norm", TensorProto.FLOAT, None))
    made = fp16_from_fp32(model, [rows(WIDTH)])
    norm = next(other for other in made.graph.node if other.name == "norm")
    narrow = factor == 1.0 or attributes.get("p") == 1
    assert kinds_of(made)[norm.input[0]] == (TensorProto.FLOAT16 if narrow else TensorProto.FLOAT)


def test_sum_inside_a_mean_counts() -> None:
    model = chain(weight(WIDTH, WIDTH))
    model.graph.node.extend([onnx.helper.make_node("ReduceMean", ["big"], ["mean"], "mean", keepdims=1)])
    model.graph.node.insert(0, onnx.helper.make_node("Mul", ["x", "factor"], ["big"], "mul"))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(8000), "factor"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("mean", TensorProto.FLOAT, [1, 1]))
    feeds = {"x": np.full((4, WIDTH), 0.5, np.float32)}
    made = fp16_from_fp32(model, [feeds])
    mean = next(node for node in made.graph.node if node.op_type == "ReduceMean")
    assert kinds_of(made)[mean.input[0]] == TensorProto.FLOAT


def with_scan(*, reads_outside: bool) -> onnx.ModelProto:
    """A product, and the sums of its rows so far by a Scan, which may add a weight of the graph around it."""
    model = chain(weight(WIDTH, WIDTH))
    value = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [
            onnx.helper.make_node("Add", ["sum", "row"], ["next"]),
            onnx.helper.make_node("Add", ["next", "offset" if reads_outside else "next"], ["given"]),
        ],
        "body",
        [value("sum", TensorProto.FLOAT, [WIDTH]), value("row", TensorProto.FLOAT, [WIDTH])],
        [value("next", TensorProto.FLOAT, [WIDTH]), value("given", TensorProto.FLOAT, [WIDTH])],
    )
    model.graph.node.append(
        onnx.helper.make_node("Scan", ["offset", "t0"], ["last", "sums"], "scan", body=body, num_scan_inputs=1)
    )
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(WIDTH, np.float32), "offset"))
    model.graph.output.append(value("sums", TensorProto.FLOAT, ["batch", WIDTH]))
    return model


def test_loop_stays_fp32_when_it_reads_its_inputs_alone(tmp_path: Path) -> None:
    model, feeds = with_scan(reads_outside=False), rows(WIDTH)
    made = fp16_from_fp32(model, [feeds])
    assert kinds_of(made)["product_0"] == TensorProto.FLOAT16
    assert made.graph.output[-1].type.tensor_type.elem_type == TensorProto.FLOAT
    expected = answers(model, feeds, tmp_path)["sums"]
    assert agreement_of(answers(made, feeds, tmp_path)["sums"], expected).correlation > 0.99999


def test_loop_is_refused_when_it_reads_what_is_around_it() -> None:
    with pytest.raises(BuildFailed, match="'scan' is a branch or a loop"):
        fp16_from_fp32(with_scan(reads_outside=True), [rows(WIDTH)])
