"""Decoders built for ONNX Runtime: a cache that grows in place, and answers as the copied one does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest
from growing_decoder import CACHED_HEADS, HEAD, PAST, PRESENT, WIDTH, decoder, saved

from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.onnxruntime.growing_cache import grow_cache_in_place
from vlm_ros.build.precision.files import read_model
from vlm_ros.build.precision.graph import simplified
from vlm_ros.build.precision.passes import PASSES
from vlm_ros.models.rows import rows_taken
from vlm_ros.runtime.onnxruntime.growing_cache import CachedTensor
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

DEMO = Path(__file__).parents[3] / "engines" / "demo"
KEY, VALUE = f"{PAST}key", f"{PAST}value"
KEPT = (f"{PRESENT}key", f"{PRESENT}value")
EMPTY = np.empty((1, CACHED_HEADS, 0, HEAD), np.float32)
Cache = tuple


@pytest.fixture(scope="module", params=[20, 23], ids=["opset 20", "opset 23"])
def graphs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The graph as exported, and the engine made of it."""
    folder = tmp_path_factory.mktemp("growing")
    path = saved(decoder(request.param), folder)
    OnnxRuntimeBuilder(threads=1).build(path, folder / "engine")
    return path, folder / "engine"


@pytest.fixture
def plain(graphs: tuple[Path, Path]) -> Iterator[OnnxRuntimeRunner]:
    yield from active(graphs[0])


@pytest.fixture
def growing(graphs: tuple[Path, Path]) -> Iterator[OnnxRuntimeRunner]:
    yield from active(graphs[1])


def active(path: Path) -> Iterator[OnnxRuntimeRunner]:
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    yield runner
    runner.deactivate()


def read(runner: OnnxRuntimeRunner, seed: int, tokens: int, cache: Cache = (EMPTY, EMPTY)) -> tuple[np.ndarray, Cache]:
    """The logits of ``tokens`` random tokens after ``cache``, and the cache from then on."""
    seen = cache[0].shape[2]
    feeds = {
        "inputs_embeds": np.random.default_rng(seed).normal(size=(1, tokens, WIDTH)).astype(np.float32),
        "attention_mask": np.ones((1, seen + tokens), np.int64),
        "position_ids": np.arange(seen, seen + tokens)[np.newaxis],
        KEY: cache[0],
        VALUE: cache[1],
    }
    outputs = runner.run(feeds, keep=KEPT)
    return outputs["logits"], tuple(outputs[name] for name in KEPT)


def test_engine_holds_no_copy_of_the_cache(graphs: tuple[Path, Path]) -> None:
    nodes = onnx.load(graphs[1]).graph.node
    assert {node.op_type for node in nodes if KEY in node.input} == {"GroupQueryAttention"}
    assert not {node.op_type for node in nodes} & {"Attention", "Softmax", "LessOrEqual", "Expand"}


def test_engine_says_that_it_takes_one_sequence_at_a_time(plain: OnnxRuntimeRunner, growing: OnnxRuntimeRunner) -> None:
    """A batch would be refused, for its mask hides tokens."""
    assert rows_taken(plain.inputs.values(), 8) == 8
    assert rows_taken(growing.inputs.values(), 8) == 1


def test_logits_and_cache_are_those_of_the_graph_when_tokens_follow_one_another(
    plain: OnnxRuntimeRunner, growing: OnnxRuntimeRunner
) -> None:
    ours = theirs = (EMPTY, EMPTY)
    for seed, tokens in enumerate((60, 3, *[1] * 40)):  # past the first room's end
        wanted, theirs = read(plain, seed, tokens, theirs)
        made, ours = read(growing, seed, tokens, ours)
        np.testing.assert_allclose(made, wanted, atol=1e-5)
        for tensor, expected in zip(ours, theirs, strict=True):
            assert (tensor.shape, tensor.dtype) == (expected.shape, expected.dtype)
            np.testing.assert_allclose(np.asarray(tensor), expected, atol=1e-5)


def test_branches_do_not_disturb_one_another_when_they_take_turns(growing: OnnxRuntimeRunner) -> None:
    _, prefix = read(growing, 0, 20)
    before = [np.asarray(tensor) for tensor in prefix]
    alone = []
    for branch in (1, 2):
        _, cache = read(growing, branch, 4, prefix)
        alone.append(read(growing, branch + 10, 1, cache)[0])
    caches = [read(growing, branch, 4, prefix)[1] for branch in (1, 2)]
    together = [read(growing, branch + 10, 1, cache)[0] for branch, cache in zip((1, 2), caches, strict=True)]
    np.testing.assert_array_equal(together, alone)
    for tensor, expected in zip(prefix, before, strict=True):
        np.testing.assert_array_equal(np.asarray(tensor), expected)


def test_one_room_serves_every_token_until_it_is_full(growing: OnnxRuntimeRunner) -> None:
    _, cache = read(growing, 0, 20)
    rooms = {id(cache[0].room)}
    for seed in range(30):
        _, cache = read(growing, seed, 1, cache)
        rooms.add(id(cache[0].room))
    assert len(rooms) == 1
    assert isinstance(cache[1], CachedTensor)
    assert cache[1].room is cache[0].room


def test_earlier_logits_stay_as_they_are_when_the_engine_runs_again(growing: OnnxRuntimeRunner) -> None:
    first, cache = read(growing, 0, 1)
    copy = first.copy()
    read(growing, 1, 1, cache)
    np.testing.assert_array_equal(first, copy)


@pytest.mark.parametrize("linkable", [True, False], ids=["same disk", "another disk"])
def test_weights_may_lie_beside_the_graph(
    plain: OnnxRuntimeRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, linkable: bool
) -> None:
    def no_link(*paths: Path) -> None:
        raise OSError(18, "Invalid cross-device link")

    if not linkable:
        monkeypatch.setattr(os, "link", no_link)
    path = saved(decoder(), tmp_path, external=True)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "engines").mkdir()
    OnnxRuntimeBuilder(threads=1).build(path, tmp_path / "engines" / "engine")
    kinds = {node.op_type for node in onnx.load(tmp_path / "engines" / "engine").graph.node}
    assert ("GroupQueryAttention" in kinds) == linkable
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()} == before
    runner = next(active(tmp_path / "engines" / "engine"))
    np.testing.assert_allclose(read(runner, 0, 5)[0], read(plain, 0, 5)[0], atol=1e-5)


@pytest.mark.parametrize(("batch", "tokens"), [(1, 3), (2, 1)])
def test_cache_comes_to_the_host_when_nobody_keeps_it(
    plain: OnnxRuntimeRunner, growing: OnnxRuntimeRunner, batch: int, tokens: int
) -> None:
    draw = np.random.default_rng(3)
    feeds = {
        "inputs_embeds": draw.normal(size=(batch, tokens, WIDTH)).astype(np.float32),
        "attention_mask": np.ones((batch, 5 + tokens), np.int64),
        "position_ids": np.tile(np.arange(5, 5 + tokens), (batch, 1)),
        **{name: draw.normal(size=(batch, CACHED_HEADS, 5, HEAD)).astype(np.float32) for name in (KEY, VALUE)},
    }
    wanted, made = plain.run(feeds), growing.run(feeds)
    assert list(made) == list(wanted)
    for name, array in wanted.items():
        assert isinstance(made[name], np.ndarray)
        np.testing.assert_allclose(made[name], array, atol=1e-5)


def test_prompt_is_refused_when_padding_hides_some_of_it(growing: OnnxRuntimeRunner) -> None:
    mask = np.array([[0, 1, 1]])
    feeds = {"inputs_embeds": np.zeros((1, 3, WIDTH), np.float32), "attention_mask": mask}
    with pytest.raises(ValueError, match="attention_mask"):
        growing.run({**feeds, "position_ids": np.arange(3)[np.newaxis], KEY: EMPTY, VALUE: EMPTY})


@pytest.mark.parametrize("opset", [20, 23])
def test_graph_stays_as_it_is_when_tokens_see_only_those_near_them(opset: int) -> None:
    assert_untouched(decoder(opset, window=True))


@pytest.mark.parametrize("kind", ["RotaryEmbedding", "Transpose", "Concat"])
def test_graph_stays_as_it_is_when_attention_is_fed_otherwise(kind: str) -> None:
    model = decoder()
    node = next(node for node in model.graph.node if node.op_type == kind)
    node.op_type = "Identity"
    assert_untouched(model)


@pytest.mark.parametrize("opset", [20, 23])
def test_graph_stays_as_it_is_when_heads_are_of_a_width_that_onnx_runtime_refuses(opset: int) -> None:
    assert_untouched(decoder(opset, head=12))


CHANGES = {
    "tokens see those behind them": ("causal", ["rows_down", "columns_across"]),
    "tokens see what they are not to see": ("hiding", ["causal", "lowest", "nothing"]),
    "tokens see those around the first": ("past_count", ["zero", "zero"]),
    "tokens see what positions say": ("columns_across", ["position_ids", "axis_0"]),
    "scale is no number": ("key_scaled", ["key_upright", "cos"]),
    "heads share keys in another order": ("key_apart", [f"{PRESENT}key", "axis_1"]),
    "cache follows what is new": (f"{PRESENT}key", ["k_turned", KEY]),
    "values are cached as keys": (f"{PRESENT}key", [VALUE, "k_turned"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_graph_stays_as_it_is_when_written_attention_is_another(change: str) -> None:
    model = decoder(20)
    result, inputs = CHANGES[change]
    node = next(node for node in model.graph.node if node.output[0] == result)
    del node.input[:]
    node.input.extend(inputs)
    assert_untouched(model)


@pytest.mark.parametrize("opset", [20, 23])
@pytest.mark.parametrize("cached", [KEY, f"{PRESENT}value"])
def test_graph_stays_as_it_is_when_it_asks_how_much_is_cached(opset: int, cached: str) -> None:
    model = decoder(opset)
    model.graph.node.append(onnx.helper.make_node("Shape", [cached], ["length"], start=2, end=3))
    model.graph.output.append(onnx.helper.make_tensor_value_info("length", onnx.TensorProto.INT64, [1]))
    assert_untouched(model)


@pytest.mark.parametrize("opset", [20, 23])
def test_graph_stays_as_it_is_when_a_graph_within_may_read_the_cache(opset: int) -> None:
    model, make = decoder(opset), onnx.helper.make_node
    value = onnx.helper.make_tensor_value_info("chosen", onnx.TensorProto.FLOAT, None)
    inner = onnx.helper.make_graph([make("Identity", [f"{PRESENT}key"], ["chosen"])], "inner", [], [value])
    model.graph.node.append(make("If", ["yes"], ["seen_again"], then_branch=inner, else_branch=inner))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(True), "yes"))
    model.graph.output.append(onnx.helper.make_tensor_value_info("seen_again", onnx.TensorProto.FLOAT, None))
    assert_untouched(model)


@pytest.mark.parametrize("precision", ["int8", "q4", "quantized"])
def test_written_attention_is_recognised_when_weights_are_narrow(precision: str) -> None:
    model = PASSES[precision](simplified(decoder(20)), [])
    assert grow_cache_in_place(model)


def test_written_attention_is_recognised_in_the_demo_model() -> None:
    assert grow_cache_in_place(read_model(DEMO / "onnx" / "decoder_model_merged.onnx"))


def assert_untouched(model: onnx.ModelProto) -> None:
    before = model.SerializeToString()
    assert not grow_cache_in_place(model)
    assert model.SerializeToString() == before
