"""Building in blocks takes less memory than building whole, and no more than is foreseen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vlm_ros.build import fitting
from vlm_ros.build.preflight import BuildMemory

MEASURED = Path(__file__).parent / "measured.py"
LAYERS, WIDTH = 4, 1024
FLOAT = TensorProto.FLOAT


def layer(number: int, hidden: str) -> tuple[list[onnx.NodeProto], list[str]]:
    """The nodes of a layer after ``hidden``, and its four weights; its result is called after the next one."""
    past, present, weights = f"past_key_values.{number}", f"present.{number}", [f"{each}{number}" for each in "qkvo"]
    names = {each: f"{each}_{number}" for each in ("query", "turned", "scores", "seen", "flat", "added")}
    nodes = []
    for weight, kind in zip(weights, ("query", "key", "value"), strict=False):
        nodes.append(helper.make_node("MatMul", [hidden, weight], [f"{kind}_{number}_flat"]))
        nodes.append(helper.make_node("Unsqueeze", [f"{kind}_{number}_flat", "one"], [f"{kind}_{number}"]))
    for kind in ("key", "value"):
        nodes.append(helper.make_node("Concat", [f"{past}.{kind}", f"{kind}_{number}"], [f"{present}.{kind}"], axis=2))
    nodes += [
        helper.make_node("Transpose", [f"{present}.key"], [names["turned"]], perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", [names["query"], names["turned"]], [names["scores"]]),
        helper.make_node("MatMul", [names["scores"], f"{present}.value"], [names["seen"]]),
        helper.make_node("Squeeze", [names["seen"], "one"], [names["flat"]]),
        helper.make_node("MatMul", [names["flat"], weights[3]], [names["added"]]),
        helper.make_node("Add", [hidden, names["added"]], [f"hidden_{number + 1}"]),
    ]
    return nodes, weights


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A decoder of 64 MB in a file of their own: attention without a softmax, which no memory depends on."""
    nodes, weights, hidden = [], [], "inputs_embeds"
    for number in range(LAYERS):
        made, read = layer(number, hidden)
        nodes, weights, hidden = nodes + made, weights + read, f"hidden_{number + 1}"
    nodes.append(helper.make_node("Identity", [hidden], ["logits"]))
    caches = [(number, kind) for number in range(LAYERS) for kind in ("key", "value")]
    shapes = {"inputs_embeds": ["batch", "sequence", WIDTH]}
    shapes |= {f"past_key_values.{number}.{kind}": ["batch", 1, "past", WIDTH] for number, kind in caches}
    results = {"logits": ["batch", "sequence", WIDTH]}
    results |= {f"present.{number}.{kind}": ["batch", 1, "total", WIDTH] for number, kind in caches}
    edges = [
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in each.items()]
        for each in (shapes, results)
    ]
    noise = np.random.default_rng(0)
    tensors = [
        onnx.numpy_helper.from_array(noise.standard_normal((WIDTH, WIDTH)).astype(np.float32), name) for name in weights
    ]
    tensors.append(onnx.numpy_helper.from_array(np.array([1]), "one"))
    model = helper.make_model(helper.make_graph(nodes, "decoder", *edges, tensors), ir_version=10)
    del model.opset_import[:]
    model.opset_import.append(helper.make_opsetid("", 20))
    path = tmp_path_factory.mktemp("decoder") / "decoder.onnx"
    onnx.save(model, path, save_as_external_data=True, location="decoder.data", size_threshold=1024)
    return path


def measured_bytes(onnx: Path, count: int) -> int:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, str(MEASURED), str(onnx), str(count)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    return int(result.stdout)


def test_blocks_take_less_memory_than_the_whole_and_less_than_foreseen(decoder: Path) -> None:
    foreseen = fitting._peaks_bytes(BuildMemory(decoder))
    assert len(foreseen) == LAYERS
    whole, half = (measured_bytes(decoder, count) for count in (1, 2))
    assert half < 0.85 * whole
    assert half < foreseen[1] < 2 * half
