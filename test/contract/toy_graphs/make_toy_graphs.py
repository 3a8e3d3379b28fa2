"""Make the graphs that every runner is held to. They lie beside this script, so that the tests need no onnx.

python test/contract/toy_graphs/make_toy_graphs.py
"""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto, ValueInfoProto, helper

FOLDER = Path(__file__).parent
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def save(
    name: str, node: onnx.NodeProto, inputs: list[ValueInfoProto], outputs: list[ValueInfoProto], **table: list[float]
) -> None:
    """Write a graph of one node; ``table`` gives constants of shape (4, 2)."""
    constants = [helper.make_tensor(key, FLOAT, (4, 2), values) for key, values in table.items()]
    graph = helper.make_graph([node], name, inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, FOLDER / f"{name}.onnx")


def tensor(name: str, kind: int, *shape: int | str) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


save(
    "add",
    helper.make_node("Add", ["left", "right"], ["sum"]),
    [tensor("left", FLOAT, 2, 3), tensor("right", FLOAT, 2, 3)],
    [tensor("sum", FLOAT, 2, 3)],
)
save(
    "matmul",
    helper.make_node("MatMul", ["rows", "columns"], ["product"]),
    [tensor("rows", FLOAT, "batch", "past"), tensor("columns", FLOAT, "past", 2)],
    [tensor("product", FLOAT, "batch", 2)],
)
save(
    "embed",
    helper.make_node("Gather", ["table", "numbers"], ["embeddings"]),
    [tensor("numbers", INT64, "batch", "sequence")],
    [tensor("embeddings", FLOAT, "batch", "sequence", 2)],
    table=[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
)
