"""Decoders in blocks of layers answer as whole ones do, whoever builds them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import pytest

from vlm_ros.build import fitting, preflight
from vlm_ros.build.blocks import BlockBuilder
from vlm_ros.build.builder import Watch
from vlm_ros.build.building import build_bundle, find_engines
from vlm_ros.build.fitting import fitting_builder
from vlm_ros.build.lowering.blocks import block_model, blocks_of, largest_blocks
from vlm_ros.build.lowering.files import largest_block_bytes, write_blocks
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.build.store import EngineStore
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.frame import Frame
from vlm_ros.models.loading import load_model
from vlm_ros.runtime.blocks import BLOCKS_TAG, BlockList, BlockRunner
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.opening import runner_for

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))

from emulator import import_backend, installed  # noqa: E402

DEMO = Bundle(TESTS.parent / "engines" / "demo")
DECODER = DEMO.onnx("decoder_model_merged")
LAYERS = 4
PICTURE = Frame(np.random.default_rng(5).integers(0, 256, (48, 64, 3), dtype=np.uint8))


@pytest.fixture(scope="module")
def decoder() -> onnx.ModelProto:
    return onnx.load(DECODER)


@pytest.fixture(params=["onnxruntime", "tensorrt"])
def builder(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[object]:
    """Builders of both vendors, TensorRT on the emulator."""
    if request.param == "onnxruntime":
        yield OnnxRuntimeBuilder(threads=1)
        return
    with installed():
        backend = import_backend()
        limits = backend.Limits(prompt_tokens=256, context_tokens=256)
        yield backend.Builder(limits, timings=tmp_path / "timings")


def test_each_block_has_the_cache_of_its_layers_and_only_its_weights(decoder: onnx.ModelProto) -> None:
    assert len(largest_blocks(decoder)) == LAYERS
    blocks = blocks_of(decoder, 2)
    models = [block_model(decoder, block) for block in blocks]
    for number, model in enumerate(models):
        present = {value.name for value in model.graph.output if value.name.startswith("present.")}
        layers = (2 * number, 2 * number + 1)
        assert present == {f"present.{layer}.{kind}" for layer in layers for kind in ("key", "value")}
        onnx.checker.check_model(model, full_check=True)
    (hidden,) = blocks[1].takes
    assert hidden in blocks[0].gives
    assert max(model.ByteSize() for model in models) < 0.6 * decoder.ByteSize()
    assert sum(model.ByteSize() for model in models) < 1.1 * decoder.ByteSize()


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_foreseen_size_is_that_of_the_largest_block(decoder: onnx.ModelProto, count: int) -> None:
    sizes = [block_model(decoder, block).ByteSize() for block in blocks_of(decoder, count)]
    assert largest_blocks(decoder)[count - 1] == pytest.approx(max(sizes), rel=0.05)


@pytest.mark.parametrize("count", [0, 5])
def test_number_of_layers_is_told_when_there_are_too_few(decoder: onnx.ModelProto, count: int) -> None:
    with pytest.raises(BuildFailed, match="4 layers"):
        blocks_of(decoder, count)


def test_no_cut_is_made_where_a_second_value_passes_by(decoder: onnx.ModelProto) -> None:
    """As where a late layer looks at what an early one found."""
    (early,), _, (late,) = (block.takes for block in blocks_of(decoder, LAYERS)[1:])
    model = onnx.ModelProto()
    model.CopyFrom(decoder)
    nodes = list(model.graph.node)
    place = next(number for number, node in enumerate(nodes) if late in node.output)
    nodes[place].output[0] = "without"
    nodes.insert(place + 1, onnx.helper.make_node("Add", ["without", early], [late]))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    assert [block.takes for block in blocks_of(model, 3)] == [(), (early,), (late,)]
    with pytest.raises(BuildFailed, match="1 to 3 blocks, not 4"):
        blocks_of(model, LAYERS)


def test_hidden_states_have_their_own_width_when_embeddings_carry_more() -> None:
    """As where features of earlier layers of the vision encoder come along for the first layers."""
    node = onnx.helper.make_node
    edge = onnx.helper.make_tensor_value_info
    float32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [
            node("MatMul", ["inputs_embeds", "w0"], ["hidden"]),
            node("Mul", ["hidden", "past_key_values.0.key"], ["present.0.key"]),
            node("Add", ["hidden", "present.0.key"], ["first"]),
            node("Mul", ["first", "past_key_values.1.key"], ["present.1.key"]),
            node("Add", ["first", "present.1.key"], ["logits"]),
        ],
        "decoder",
        [
            edge("inputs_embeds", float32, ["batch", "sequence", 12]),
            *(edge(f"past_key_values.{layer}.key", float32, ["batch", "sequence", 4]) for layer in range(2)),
        ],
        [edge(name, float32, ["batch", "sequence", 4]) for name in ("logits", "present.0.key", "present.1.key")],
        [onnx.numpy_helper.from_array(np.ones((12, 4), np.float32), "w0")],
    )
    model = onnx.helper.make_model(graph)
    first, second = (block_model(model, block) for block in blocks_of(model, 2))
    for hidden in (first.graph.output[0], second.graph.input[0]):
        sizes = [size.dim_param or size.dim_value for size in hidden.type.tensor_type.shape.dim]
        assert sizes == ["batch", "sequence", 4]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_answers_are_those_of_the_whole_when_a_decoder_is_built_in_blocks(
    builder: object, tmp_path: Path, count: int
) -> None:
    store = EngineStore(tmp_path / "engines")
    built = build_bundle(DEMO, store, builder=builder, blocks=count)
    assert find_engines(DEMO, store, builder=builder) == built, "a start need not know in how many blocks it was built"
    assert built["decoder_model_merged"].read_bytes().startswith(BLOCKS_TAG)
    assert store.verify() == {}
    answers = []
    for model in (load_model(DEMO, built, threads=1), load_model(DEMO, threads=1)):
        observation = model.observe(PICTURE)
        answers.append([observation.ask(question, FreeText(24)).text for question in ("What is there?", "Where?")])
        model.close()
    assert answers[0] == answers[1]


def test_outputs_and_specs_are_those_of_the_whole_when_blocks_are_run(builder: object, tmp_path: Path) -> None:
    BlockBuilder(builder, 3).build(DECODER, tmp_path / "engine")
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name != "timings"]
    noise = np.random.default_rng(1)
    sizes = {"batch": 1, "sequence": 3, "past": 4, "total": 7}
    runners = [OnnxRuntimeRunner(DECODER, threads=1), runner_for(tmp_path / "engine", threads=1)]
    for runner in runners:
        runner.activate()
    specs = runners[0].inputs
    feeds = {
        name: noise.standard_normal([sizes.get(size, size) for size in spec.shape]).astype(spec.dtype)
        for name, spec in specs.items()
    }
    feeds["attention_mask"][:] = 1
    whole, blocks = (runner.run(feeds) for runner in runners)
    assert list(runners[1].inputs) == list(specs)
    assert list(blocks) == list(whole)
    for name, values in whole.items():
        np.testing.assert_allclose(blocks[name], values, atol=1e-5)
    with pytest.raises(ValueError, match="'attention_mask'"):
        runners[1].run({**feeds, "attention_mask": feeds["attention_mask"][0]})
    for runner in runners:
        runner.deactivate()
    with pytest.raises(RuntimeError, match="activate"):
        _ = runners[1].inputs


def test_progress_goes_through_all_blocks_when_watched(tmp_path: Path) -> None:
    told: list[float] = []

    class Halves(OnnxRuntimeBuilder):
        def build(self, onnx: Path, engine: Path, watch: Watch) -> None:
            watch.on_fraction(0.5)
            engine.write_bytes(b"")

    BlockBuilder(Halves(), 4).build(DECODER, tmp_path / "engine", Watch(told.append))
    assert told == [0.125, 0.375, 0.625, 0.875]


@pytest.mark.parametrize("lengths", ["told", "left out"])
def test_weights_are_shared_out_when_they_lie_in_a_file_of_their_own(
    decoder: onnx.ModelProto, tmp_path: Path, lengths: str
) -> None:
    source = tmp_path / "bundle" / "decoder_model_merged.onnx"
    source.parent.mkdir()
    model = onnx.ModelProto()
    model.CopyFrom(decoder)
    onnx.save(model, source, save_as_external_data=True, location="decoder.data", size_threshold=1024)
    if lengths == "left out":
        light = onnx.load(source, load_external_data=False)
        for tensor in light.graph.initializer:
            told = [entry for entry in tensor.external_data if entry.key != "length"]
            del tensor.external_data[:]
            tensor.external_data.extend(told)
        onnx.save(light, source)
    assert largest_block_bytes(source) == pytest.approx(largest_blocks(decoder), rel=0.01)
    (tmp_path / "work").mkdir()
    paths = write_blocks(source, 2, tmp_path / "work")
    shutil.rmtree(source.parent)
    data = [path.with_name(f"{path.name}.data").stat().st_size for path in paths]
    assert max(data) < 0.6 * decoder.ByteSize()
    for path in paths:
        runner = OnnxRuntimeRunner(path, threads=1)
        runner.activate()
        runner.deactivate()


def test_blocks_are_as_few_as_memory_allows_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(blocks: int) -> int:
        builder = fitting_builder(OnnxRuntimeBuilder(), DECODER, blocks)
        return builder.count if isinstance(builder, BlockBuilder) else 1

    monkeypatch.setattr(fitting, "_peaks_bytes", lambda memory: [50e6, 40e6, 30e6, 20e6])
    monkeypatch.setattr(preflight.BuildMemory, "peak_bytes", 45e6)
    monkeypatch.setattr(preflight, "available_bytes", lambda **_: 100e6)
    assert [chosen(0), chosen(1), chosen(3)] == [1, 1, 3]
    monkeypatch.setattr(preflight, "available_bytes", lambda **_: 44e6)
    assert [chosen(0), chosen(3)] == [2, 3]
    monkeypatch.setattr(preflight, "available_bytes", lambda **_: 33e6)
    assert chosen(0) == 3


def test_only_decoders_are_cut_when_blocks_are_wanted() -> None:
    builder = OnnxRuntimeBuilder()
    assert fitting_builder(builder, DEMO.onnx("vision_encoder"), 3) is builder


def test_advice_is_given_when_not_even_blocks_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "available_bytes", lambda **_: 1000)
    with pytest.raises(BuildFailed, match="decoder_model_merged.onnx' takes about.*q4"):
        fitting_builder(OnnxRuntimeBuilder(), DECODER)
    with pytest.raises(BuildFailed, match="in 3 blocks takes about.*--blocks"):
        fitting_builder(OnnxRuntimeBuilder(), DECODER, 3)
    with pytest.raises(BuildFailed, match="not in -1"):
        fitting_builder(OnnxRuntimeBuilder(), DECODER, -1)
    with pytest.raises(BuildFailed, match="4 blocks.*not in 9"):
        fitting_builder(OnnxRuntimeBuilder(), DECODER, 9)


@pytest.mark.parametrize("content", [{}, {"files": ["../engine"], "inputs": [], "outputs": []}, {"files": []}])
def test_list_of_blocks_is_refused_when_it_makes_no_sense(tmp_path: Path, content: dict) -> None:
    (tmp_path / "engine").write_bytes(BLOCKS_TAG + json.dumps(content).encode())
    with pytest.raises(BuildFailed, match="engine"):
        runner_for(tmp_path / "engine")


def test_nothing_stays_loaded_when_a_block_is_missing(tmp_path: Path) -> None:
    BlockBuilder(OnnxRuntimeBuilder(threads=1), 2).build(DECODER, tmp_path / "engine")
    blocks = BlockList.read(tmp_path / "engine")
    (tmp_path / blocks.files[1]).unlink()
    runners = [OnnxRuntimeRunner(tmp_path / name, threads=1) for name in blocks.files]
    with pytest.raises(Exception, match="no graph at"):
        BlockRunner(runners, blocks.inputs, blocks.outputs).activate()
    with pytest.raises(RuntimeError, match="not active"):
        _ = runners[0].inputs
