"""Operators of opset 23 written out in older ones compute what they computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from vlm_ros.build.lowering.files import lowered_file
from vlm_ros.build.lowering.functions import lowered
from vlm_ros.build.precision.graph import opset_of
from vlm_ros.runtime.onnxruntime.library import ort

NEWER = ("Attention", "RMSNormalization", "RotaryEmbedding")
NOISE = np.random.default_rng(11)
HEAD = 8
BATCH = 2
KINDS = {np.dtype(np.float32): TensorProto.FLOAT, np.dtype(np.float16): TensorProto.FLOAT16}
KINDS[np.dtype(bool)], KINDS[np.dtype(np.int64)] = TensorProto.BOOL, TensorProto.INT64

Feeds = dict[str, np.ndarray]


def model_of_one(operator: str, feeds: Feeds, names: dict[str, str], **attributes: object) -> onnx.ModelProto:
    """One ``operator`` fed with ``feeds``; ``names`` gives each input the names of its dynamic sizes, by axis."""
    inputs = []
    for name, array in feeds.items():
        shape = [size if letter == "." else letter for size, letter in zip(array.shape, names[name], strict=True)]
        inputs.append(helper.make_tensor_value_info(name, KINDS[array.dtype], shape))
    node = helper.make_node(operator, list(feeds), ["result"], **attributes)
    output = helper.make_tensor_value_info("result", inputs[0].type.tensor_type.elem_type, None)
    graph = helper.make_graph([node], "one", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 23)], ir_version=10)


def result_of(model: onnx.ModelProto, feeds: Feeds) -> np.ndarray:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, feeds)[0].astype(np.float64)


def older(model: onnx.ModelProto) -> onnx.ModelProto:
    """``model`` lowered; all of it is old then."""
    result = lowered(model, NEWER)
    assert opset_of(result) == 20
    assert not {node.op_type for node in result.graph.node}.intersection(NEWER)
    return result


def noise(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return NOISE.standard_normal(shape).astype(dtype)


def attention_feeds(heads: int, tokens: int, past: int, mask: str, dtype: type) -> Feeds:
    """Two sequences, the first of which has two tokens of padding on the left."""
    feeds = {
        "q": noise(BATCH, 4, tokens, HEAD, dtype=dtype),
        "k": noise(BATCH, heads, past + tokens, HEAD, dtype=dtype),
        "v": noise(BATCH, heads, past + tokens, HEAD, dtype=dtype),
    }
    allowed = np.tril(np.ones((BATCH, 1, tokens, past + tokens), bool), past)
    allowed[0, ..., :2] = False
    if mask == "allowed":
        feeds["mask"] = allowed
    elif mask == "added":
        feeds["mask"] = np.where(allowed, 0, -1e4).astype(dtype)
    return feeds


def readable_rows(feeds: Feeds, causal: int) -> np.ndarray:
    """Which queries may look at anything: (batch, 1, tokens)."""
    tokens, total = feeds["q"].shape[2], feeds["k"].shape[2]
    allowed = np.ones((BATCH, 1, tokens, total), bool)
    if "mask" in feeds:
        allowed = feeds["mask"] if feeds["mask"].dtype == bool else feeds["mask"] == 0
    return (allowed & (np.tril(np.ones((tokens, total), bool)) if causal else True)).any(axis=-1)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("heads", [4, 2], ids=["own keys", "grouped"])
@pytest.mark.parametrize(("tokens", "past"), [(1, 0), (3, 0), (1, 5), (3, 5)])
@pytest.mark.parametrize("mask", ["none", "allowed", "added"])
@pytest.mark.parametrize(
    "attributes", [{}, {"is_causal": 1}, {"softcap": 5.0}, {"is_causal": 1, "softcap": 5.0, "scale": 0.3}]
)
def test_attention_is_the_same_when_written_out(
    attributes: dict, mask: str, tokens: int, past: int, heads: int, dtype: type
) -> None:
    feeds = attention_feeds(heads, tokens, past, mask, dtype)
    model = model_of_one("Attention", feeds, {"q": "b.s.", "k": "b.t.", "v": "b.t.", "mask": "b.st"}, **attributes)
    rows = np.broadcast_to(readable_rows(feeds, attributes.get("is_causal", 0)), (BATCH, 4, tokens))
    expected, actual = result_of(model, feeds)[rows], result_of(older(model), feeds)[rows]
    np.testing.assert_allclose(actual, expected, atol=2e-5 if dtype is np.float32 else 1e-2)


def test_attention_differs_when_a_mask_is_left_out() -> None:
    feeds = attention_feeds(2, 3, 5, "allowed", np.float32)
    model = model_of_one("Attention", feeds, {"q": "b.s.", "k": "b.t.", "v": "b.t.", "mask": "b.st"})
    wrong = older(model)
    for node in wrong.graph.node:
        if node.op_type == "Where" and node.input[0] == "mask":
            node.input[2] = node.input[1]
    assert np.abs(result_of(wrong, feeds) - result_of(model, feeds)).max() > 0.1


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_norm_is_the_same_and_its_axes_are_constant_when_written_out(dtype: type) -> None:
    feeds = {"x": noise(2, 3, 16, dtype=dtype), "weight": noise(16, dtype=dtype)}
    model = model_of_one("RMSNormalization", feeds, {"x": "bs.", "weight": "."}, epsilon=1e-6)
    result = older(model)
    np.testing.assert_allclose(result_of(result, feeds), result_of(model, feeds), atol=1e-6)
    (mean,) = (node for node in result.graph.node if node.op_type == "ReduceMean")
    assert mean.input[1] in {tensor.name for tensor in result.graph.initializer}, "TensorRT wants it known beforehand"


@pytest.mark.parametrize("attributes", [{}, {"interleaved": 1}, {"rotary_embedding_dim": 4}])
def test_rotation_is_the_same_when_written_out(attributes: dict) -> None:
    half = attributes.get("rotary_embedding_dim", HEAD) // 2
    feeds = {"x": noise(2, 4, 3, HEAD), "cos": noise(2, 3, half), "sin": noise(2, 3, half)}
    model = model_of_one("RotaryEmbedding", feeds, {"x": "b.s.", "cos": "bs.", "sin": "bs."}, **attributes)
    np.testing.assert_allclose(result_of(older(model), feeds), result_of(model, feeds), atol=1e-6)


def test_rotation_by_positions_is_the_same_when_written_out() -> None:
    feeds = {"x": noise(2, 4, 3, HEAD), "cos": noise(32, HEAD // 2), "sin": noise(32, HEAD // 2)}
    feeds["at"] = np.array([[0, 1, 2], [29, 30, 31]])
    model = model_of_one("RotaryEmbedding", feeds, {"x": "b.s.", "cos": "..", "sin": "..", "at": "bs"})
    np.testing.assert_allclose(result_of(older(model), feeds), result_of(model, feeds), atol=1e-6)


def test_weights_stay_in_their_file_when_a_graph_is_written_out(tmp_path: Path) -> None:
    feeds = {"x": noise(2, 3, 1024)}
    model = model_of_one("RMSNormalization", {**feeds, "weight": noise(1024)}, {"x": "bs.", "weight": "."})
    model.graph.initializer.append(onnx.numpy_helper.from_array(noise(1024), "weight"))
    del model.graph.input[1]
    expected = result_of(model, feeds)
    for folder in ("bundle", "work"):
        (tmp_path / folder).mkdir()
    source = tmp_path / "bundle" / "a.onnx"
    onnx.save(model, source, save_as_external_data=True, location="a.data", size_threshold=1024)
    path = lowered_file(source, NEWER, tmp_path / "work")
    link = tmp_path / "work/a.data"
    assert link.is_symlink() and path.stat().st_size < 4096
    content = link.read_bytes()
    link.unlink()
    link.write_bytes(content)  # the onnx package follows no links
    np.testing.assert_allclose(result_of(onnx.load(path), feeds), expected, atol=1e-6)
