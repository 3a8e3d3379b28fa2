"""A graph of opset 23 becomes an engine whether or not the parser knows what came with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from emulator import import_backend, installed
from emulator.trt_building import MAGIC
from emulator.trt_network import NEWER

from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

LAYER = """
<ir_version: 10, opset_import: ["" : 23]>
layer (float[batch, sequence, 16] inputs_embeds, bool[batch, 1, sequence, total] mask,
       float[batch, sequence, 4] cos, float[batch, sequence, 4] sin,
       float[batch, 1, past, 8] past_key, float[batch, 1, past, 8] past_value)
   => (float[batch, sequence, 16] out, float[batch, 1, total, 8] present_key, float[batch, 1, total, 8] present_value)
{
   normed = RMSNormalization <axis = -1, epsilon = 0.00001> (inputs_embeds, weight)
   by_heads = Constant <value_ints = [0, 0, 2, 8]> ()
   split = Reshape (normed, by_heads)
   queries = Transpose <perm = [0, 2, 1, 3]> (split)
   turned = RotaryEmbedding (queries, cos, sin)
   zero = Constant <value_ints = [0]> ()
   one = Constant <value_ints = [1]> ()
   key = Slice (turned, zero, one, one)
   value = Slice (queries, zero, one, one)
   present_key = Concat <axis = 2> (past_key, key)
   present_value = Concat <axis = 2> (past_value, value)
   seen = Attention (turned, present_key, present_value, mask)
   together = Transpose <perm = [0, 2, 1, 3]> (seen)
   flat = Constant <value_ints = [0, 0, 16]> ()
   out = Reshape (together, flat)
}
"""
"""A decoder's layer: norm, rotation, grouped attention over a cache."""


@pytest.fixture(params=[False, True], ids=["weights inside", "weights beside"])
def layer(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    (tmp_path / "onnx").mkdir()
    path = tmp_path / "onnx" / "layer.onnx"
    model = onnx.parser.parse_model(LAYER)
    weight = np.random.default_rng(2).standard_normal(16).astype(np.float32)
    model.graph.initializer.append(onnx.numpy_helper.from_array(weight, "weight"))
    onnx.save(model, path, save_as_external_data=request.param, location="layer.data", size_threshold=16)
    return path


@pytest.fixture(params=["10.3.0", "11.4.0"])
def backend(request: pytest.FixtureRequest) -> Iterator[SimpleNamespace]:
    with installed(request.param):
        yield import_backend()


def feeds(past: int) -> dict[str, np.ndarray]:
    """Three tokens after ``past`` others; the first one is padding."""
    noise = np.random.default_rng(3)
    total = past + 3
    mask = np.tril(np.ones((1, 1, 3, total), bool), past)
    mask[..., 1:, 0] = False
    given = {"inputs_embeds": (1, 3, 16), "cos": (1, 3, 4), "sin": (1, 3, 4)}
    given |= {f"past_{kind}": (1, 1, past, 8) for kind in ("key", "value")}
    return {"mask": mask, **{name: noise.standard_normal(shape).astype(np.float32) for name, shape in given.items()}}


@pytest.mark.parametrize("past", [0, 4])
def test_outputs_are_onnx_runtimes_when_the_parser_is_old_or_new(
    backend: SimpleNamespace, layer: Path, tmp_path: Path, past: int
) -> None:
    limits = backend.Limits(prompt_tokens=16, context_tokens=16)
    backend.Builder(limits, timings=tmp_path / "timings").build(layer, tmp_path / "engine")
    results = []
    for runner in (OnnxRuntimeRunner(layer, threads=1), backend.Runner(tmp_path / "engine")):
        runner.activate()
        results.append(runner.run(feeds(past)))
        runner.deactivate()
    for name, values in results[0].items():
        assert np.ptp(values) > 0, "an output that is constant proves nothing"
        np.testing.assert_allclose(results[1][name], values, atol=1e-5)


def test_operators_are_written_out_when_the_parser_does_not_know_them_alone(
    backend: SimpleNamespace, layer: Path, tmp_path: Path
) -> None:
    limits = backend.Limits(prompt_tokens=16, context_tokens=16)
    backend.Builder(limits, timings=tmp_path / "timings").build(layer, tmp_path / "engine")
    header, _, graph = (tmp_path / "engine").read_bytes()[len(MAGIC) :].partition(b"\n")
    is_new = b'"tensorrt": "11' in header
    built = {node.op_type for node in onnx.load_from_string(graph).graph.node}
    assert built.intersection(NEWER) == (NEWER if is_new else set())
