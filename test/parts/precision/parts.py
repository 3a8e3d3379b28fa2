"""Small graphs and what goes into them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"


def chain(*weights: np.ndarray) -> onnx.ModelProto:
    """A product with each of ``weights`` in turn, and Tanh after it: nodes ``matmul_0``, ``tanh_0`` and so on."""
    nodes, name = [], "x"
    for number, _ in enumerate(weights):
        nodes.append(helper.make_node("MatMul", [name, f"w{number}"], [f"product_{number}"], f"matmul_{number}"))
        nodes.append(helper.make_node("Tanh", [f"product_{number}"], [f"t{number}"], f"tanh_{number}"))
        name = f"t{number}"
    width = weights[-1].shape[1]
    graph = helper.make_graph(
        nodes,
        "chain",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", weights[0].shape[0]])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])],
        [numpy_helper.from_array(weight.astype(np.float32), f"w{number}") for number, weight in enumerate(weights)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def weight(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, rows**-0.5, (rows, columns)).astype(np.float32)


def renamed(model: onnx.ModelProto) -> onnx.ModelProto:
    """As another exporter names things: all but inputs and outputs is called otherwise."""
    edges = {value.name for value in (*model.graph.input, *model.graph.output)}

    def other(name: str) -> str:
        return name if name in edges else f"other_{name}"

    for node in model.graph.node:
        node.name = other(node.name)
        node.input[:] = map(other, node.input)
        node.output[:] = map(other, node.output)
    for tensor in model.graph.initializer:
        tensor.name = other(tensor.name)
    return model


def rows(width: int, count: int = 8) -> dict[str, np.ndarray]:
    """Inputs of a chain."""
    return {"x": np.random.default_rng(1).normal(size=(count, width)).astype(np.float32)}


def answers(model: onnx.ModelProto | Path, feeds: dict, folder: Path) -> dict[str, np.ndarray]:
    """What ONNX Runtime makes of ``feeds``, in the types that the graph takes."""
    path = model
    if not isinstance(model, Path):
        path = folder / "model.onnx"
        onnx.save(model, path)
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    fitted = {name: feeds[name].astype(spec.dtype) for name, spec in runner.inputs.items()}
    return runner.run(fitted)


def tiny_feeds(part: str) -> dict[str, np.ndarray]:
    """Inputs of a part of the tiny model."""
    draw = np.random.default_rng(2)
    if part == "vision_encoder":
        return {"pixel_values": draw.normal(size=(1, 3, 32, 32)).astype(np.float32)}
    if part == "embed_tokens":
        return {"input_ids": draw.integers(0, 352, (1, 7))}
    cache = {
        f"past_key_values.{layer}.{kind}": draw.normal(size=(1, 2, 3, 8)).astype(np.float32)
        for layer in range(2)
        for kind in ("key", "value")
    }
    return {
        "inputs_embeds": draw.normal(size=(1, 5, 32)).astype(np.float32),
        "attention_mask": np.ones((1, 8), np.int64),
        "position_ids": np.arange(3, 8)[None],
        **cache,
    }
