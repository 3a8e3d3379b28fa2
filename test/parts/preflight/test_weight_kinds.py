"""Which weights are unpacked on the way to a product, and which are read as they lie in the file."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx import helper
from parts import chain, rows, weight

from vlm_ros.build.precision.files import write_model
from vlm_ros.build.precision.passes import PASSES
from vlm_ros.build.weight_kinds import weights_of

WIDTH = 64
WEIGHT_BYTES = WIDTH * WIDTH


def gated():
    """Two products, one gating the other, and a third with what comes through: that reads wide activations."""
    model = chain(*[weight(WIDTH, WIDTH, seed) for seed in range(3)])
    nodes = [
        helper.make_node("MatMul", ["x", "w0"], ["gate"]),
        helper.make_node("MatMul", ["x", "w1"], ["up"]),
        helper.make_node("Mul", ["gate", "up"], ["through"]),
        helper.make_node("MatMul", ["through", "w2"], ["t2"]),
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


@pytest.mark.parametrize(
    ("precision", "as_they_are", "unpacked"), [("int8", 0, 3), ("q4", 0, 1.5), ("quantized", 2, 1), ("qdq", 3, 0)]
)
@pytest.mark.parametrize("one_file_bytes", [10**9, 100], ids=["inside", "beside"])
def test_narrow_weights_are_unpacked_where_what_they_meet_is_wide(
    precision: str, as_they_are: float, unpacked: float, one_file_bytes: int, tmp_path: Path
) -> None:
    write_model(PASSES[precision](gated(), [rows(WIDTH)]), tmp_path / "part.onnx", one_file_bytes)
    kinds = weights_of(tmp_path / "part.onnx")[one_file_bytes == 100]
    assert kinds.narrow == pytest.approx(as_they_are * WEIGHT_BYTES, abs=1000)
    assert kinds.unpacked == pytest.approx(unpacked * WEIGHT_BYTES, abs=1000)
