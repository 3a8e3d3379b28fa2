"""The validator names the layer where it went wrong, and no other."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from parts import chain, renamed, rows, weight

from vlm_ros.build.precision.fp16 import fp16_from_fp32
from vlm_ros.build.precision.graph import Array
from vlm_ros.build.precision.weight_only import int4_weights
from vlm_ros.build.validation.layers import Range, compared_layers, fault_of, first_fault, first_strayed, range_of

WIDTH = 32
HARMLESS = [{"x": np.full((1, WIDTH), 1e-3, np.float32)}]
"""Inputs that no converter learns from."""


def planted(number: int, factor: float) -> onnx.ModelProto:
    """Four layers, all ordinary but for the weights of one."""
    weights = [weight(WIDTH, WIDTH, seed) for seed in range(4)]
    weights[number] = weights[number].clip(-0.3, 0.3) * factor
    return chain(*weights)


@pytest.mark.parametrize("number", [0, 1, 3])
def test_layer_is_named_when_its_numbers_overflow_fp16(number: int) -> None:
    model = planted(number, 1e5)
    feeds = [{"x": 1e3 * rows(WIDTH)["x"]}]
    careless = fp16_from_fp32(model, HARMLESS)
    wrong = first_fault(list(compared_layers(model, careless, feeds)))
    assert wrong is not None
    assert wrong.name == f"matmul_{number}"
    assert wrong.dtype == "float16"
    assert "infinite" in wrong.fault


def test_no_layer_is_named_when_fp32_was_kept_where_it_is_needed() -> None:
    model, feeds = planted(1, 1e6), [rows(WIDTH)]
    assert first_fault(list(compared_layers(model, fp16_from_fp32(model, feeds), feeds))) is None


def test_no_layer_is_named_when_weights_are_merely_rounded() -> None:
    model = planted(0, 1.0)
    every = compared_layers(model, int4_weights(model), [rows(WIDTH)])
    layers = [layer for layer in every if not layer.alone]
    assert [layer.name for layer in layers][:3] == ["matmul_0", "tanh_0", "matmul_1"]
    assert first_fault(layers) is None
    assert first_strayed(layers) is None
    assert 0.05 < layers[0].error < 0.2


def test_layer_is_named_when_its_scale_is_wrong() -> None:
    model = planted(0, 1.0)
    broken = int4_weights(model)
    for tensor in broken.graph.initializer:
        if tensor.name == "w2_columns_scales":
            scales = 5 * onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(scales, tensor.name))
    wrong = first_fault(list(compared_layers(model, broken, [rows(WIDTH)])))
    assert wrong is not None
    assert wrong.name == "matmul_2"
    assert "values reach from" in wrong.fault


@pytest.mark.parametrize(
    ("factor", "fault"),
    [
        (0.0, "all values are zero"),
        (1e-39, "all values are denormal"),
        (np.nan, "values are not a number"),
        (np.inf, "values are"),
        (5.0, "values reach from"),
    ],
)
@pytest.mark.parametrize("number", [0, 2])
def test_layer_is_named_when_its_weights_are_spoilt(number: int, factor: float, fault: str) -> None:
    model, spoilt = planted(number, 1.0), planted(number, factor)
    wrong = first_fault(list(compared_layers(model, spoilt, [rows(WIDTH)])))
    assert wrong is not None
    assert wrong.name == f"matmul_{number}"
    assert fault in wrong.fault


@pytest.mark.parametrize("factor", [0.0, 1e-39, np.nan, np.inf])
def test_layer_is_named_when_it_is_called_otherwise_and_needs_no_counterpart(factor: float) -> None:
    layers = list(compared_layers(planted(0, 1.0), renamed(planted(2, factor)), [rows(WIDTH)]))
    wrong = first_fault(layers)
    assert wrong is not None
    assert wrong.name == "other_matmul_2"
    assert wrong.alone
    assert wrong.fault.endswith("the reference has no layer of that name, and none with such values")
    assert [layer.alone for layer in layers] == [True] * 7 + [False]
    json.dumps(dataclasses.asdict(wrong))


@pytest.mark.parametrize("factor", [0.0, np.nan, np.inf])
def test_no_layer_that_is_called_otherwise_is_named_where_the_reference_has_such_values_too(factor: float) -> None:
    layers = compared_layers(planted(2, factor), renamed(planted(2, factor)), [rows(WIDTH)])
    assert first_fault(list(layers)) is None


def test_masks_and_zeros_are_no_faults_where_they_have_no_counterpart() -> None:
    model = planted(0, 1.0)
    masked = renamed(planted(0, 1.0))
    masked.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(-np.inf), "low"))
    masked.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(0), "zero"))
    make = onnx.helper.make_node
    nodes = [make("Mul", ["x", "zero"], ["zeros"]), make("Min", ["x", "low"], ["mask"])]
    masked.graph.node.extend(nodes)
    assert first_fault(list(compared_layers(model, masked, [rows(WIDTH)]))) is None


@pytest.mark.parametrize(
    "spoil",
    [np.negative, lambda array: array[:, ::-1].copy(), lambda array: 1e-30 * array],
    ids=["sign", "order", "scale"],
)
@pytest.mark.parametrize("number", [0, 2])
def test_layer_that_strays_is_named_when_its_range_hides_it(number: int, spoil: Callable[[Array], Array]) -> None:
    weights = [weight(WIDTH, WIDTH, seed) for seed in range(4)]
    spoilt = [spoil(array) if place == number else array for place, array in enumerate(weights)]
    layers = list(compared_layers(chain(*weights), chain(*spoilt), [rows(WIDTH), rows(WIDTH)]))
    strayed = first_strayed(layers)
    assert strayed is not None
    assert strayed.name == f"matmul_{number}"
    assert all(layer.error == 0.0 for layer in layers[: 2 * number])


@pytest.mark.parametrize(
    ("values", "dtype", "fault"),
    [
        ([1.0, np.nan, -1.0], np.float32, "1 values are not a number"),
        ([1.0, np.inf, -np.inf], np.float16, "2 values are infinite"),
        ([0.0, 0.0, 0.0], np.float32, "all values are zero"),
        ([1e-6, 3e-5, -2e-7], np.float16, "all values are denormal"),
        ([1.0, 0.5, -4.0], np.float32, "values reach from -4 to 1"),
        ([1.1, 0.5, -1.2], np.float32, ""),
    ],
)
def test_fault_is_told_from_the_ranges(values: list[float], dtype: type, fault: str) -> None:
    expected = np.array([1.0, 0.5, -1.0], np.float32)
    array = np.array(values, dtype)
    found = fault_of(range_of(expected, expected), range_of(array, expected), array.dtype)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


def test_masked_values_do_not_count() -> None:
    expected = np.array([0.0, np.finfo(np.float32).min, 1.0, -np.inf], np.float32)
    actual = np.array([0.0, -65504, 1.0, -np.inf], np.float16)
    assert range_of(actual, expected) == Range(0.0, 1.0, 0, 0)
    assert fault_of(range_of(expected, expected), range_of(actual, expected), actual.dtype) == ""
