"""Plans from ONNX files: watched, stopped, refused, and remembered."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from emulator import tensorrt
from emulator.trt_building import MAGIC, IBuilderConfig, ITimingCache
from onnx import TensorProto, helper

from vlm_ros.build.builder import Watch
from vlm_ros.build.building import build_bundle, find_engines
from vlm_ros.build.progress import Progress, Stage
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig, BuildFailed, Cancelled


def header_of(plan: Path) -> dict:
    """What the emulator notes of how a plan was built."""
    return json.loads(plan.read_bytes()[len(MAGIC) :].partition(b"\n")[0])


def graph_of_one(operator: str, path: Path, dimension: str = "batch") -> Path:
    shape = [dimension, 4]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("before", "after")]
    node = helper.make_node(operator, ["before"], ["after"], name="/layers.3/the_node")
    graph = helper.make_graph([node], "one", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def test_progress_goes_up_to_one_when_a_build_is_watched(
    builder: SimpleNamespace, matmul: Path, tmp_path: Path
) -> None:
    told: list[float] = []
    builder.build(matmul, tmp_path / "engine", Watch(told.append))
    assert told == sorted(set(told))
    assert len(told) > 4 and told[0] > 0 and told[-1] == 1.0


def test_build_stops_on_the_way_when_cancelled(builder: SimpleNamespace, matmul: Path, tmp_path: Path) -> None:
    told: list[float] = []
    with pytest.raises(Cancelled, match="matmul.onnx"):
        builder.build(matmul, tmp_path / "engine", Watch(told.append, lambda: len(told) >= 2))
    assert not (tmp_path / "engine").exists()


def test_bundle_is_built_once_and_told_in_between_when_stored(
    backend: SimpleNamespace, builder: SimpleNamespace, tiny: Bundle, tmp_path: Path
) -> None:
    reports: list[Progress] = []
    store = EngineStore(tmp_path / "engines")
    engines = build_bundle(tiny, store, builder=builder, on_progress=reports.append)
    assert find_engines(tiny, store, builder=builder) == engines
    fractions = [report.fraction for report in reports if report.stage is Stage.BUILDING]
    assert fractions == sorted(fractions)
    assert len(fractions) > 3 * len(engines)
    runner = backend.Runner(engines["embed_tokens"])
    runner.activate()
    assert runner.run({"input_ids": np.array([[1, 2]])})["inputs_embeds"].shape == (1, 2, 32)
    runner.deactivate()


def test_nothing_is_stored_when_cancelled_within_a_part(builder: SimpleNamespace, tiny: Bundle, tmp_path: Path) -> None:
    reports: list[Progress] = []
    store = EngineStore(tmp_path / "engines")
    with pytest.raises(Cancelled, match="on the way"):
        build_bundle(
            tiny,
            store,
            builder=builder,
            on_progress=reports.append,
            cancelled=lambda: sum(report.stage is Stage.BUILDING for report in reports) > 2,
        )
    assert store.entries() == []


def test_layer_and_operator_are_named_when_the_parser_refuses(builder: SimpleNamespace, tmp_path: Path) -> None:
    graph = graph_of_one("Det", tmp_path / "a.onnx")
    with pytest.raises(BuildFailed, match=r"'/layers.3/the_node' \(Det\).*--opset 20"):
        builder.build(graph, tmp_path / "engine")


def test_dimension_is_named_when_nobody_knows_its_sizes(builder: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(BuildFailed, match="'boxes'"):
        builder.build(graph_of_one("Relu", tmp_path / "a.onnx", "boxes"), tmp_path / "engine")


def test_reason_is_told_when_the_sizes_of_a_profile_contradict_each_other(
    builder: SimpleNamespace, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vlm_ros.build.tensorrt import builder as module

    right = module.profiles_of
    wrong = {"total": (3, 7, 300)}
    monkeypatch.setattr(module, "profiles_of", lambda *given: [{**profile, **wrong} for profile in right(*given)])
    with pytest.raises(BuildFailed, match="violate shape constraints"):
        builder.build(tiny.onnx("decoder_model_merged"), tmp_path / "engine")


@pytest.mark.parametrize("content", [b"", b"\x12\x05hello"], ids=["empty", "garbage"])
def test_file_is_named_when_it_is_no_graph(builder: SimpleNamespace, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(BuildFailed, match="a.onnx"):
        builder.build(tmp_path / "a.onnx", tmp_path / "engine")


def test_weights_are_taken_along_when_they_lie_in_a_file_of_their_own(
    backend: SimpleNamespace, builder: SimpleNamespace, tiny: Bundle, tmp_path: Path
) -> None:
    source = tmp_path / "graph" / "embed_tokens.onnx"
    source.parent.mkdir()
    model = onnx.load(str(tiny.onnx("embed_tokens")))
    onnx.save(model, str(source), save_as_external_data=True, location="embed.data", size_threshold=1024)
    builder.build(source, tmp_path / "engine")
    shutil.rmtree(source.parent)
    runner = backend.Runner(tmp_path / "engine")
    runner.activate()
    assert np.ptp(runner.run({"input_ids": np.array([[1, 2]])})["inputs_embeds"]) > 0
    runner.deactivate()


def test_timings_are_kept_when_the_next_builder_begins(
    backend: SimpleNamespace, matmul: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[bytes] = []
    real = IBuilderConfig.create_timing_cache

    def create(self: IBuilderConfig, serialized_timing_cache: bytes) -> ITimingCache:
        begun.append(bytes(serialized_timing_cache))
        return real(self, serialized_timing_cache)

    monkeypatch.setattr(IBuilderConfig, "create_timing_cache", create)
    for _ in range(2):
        backend.Builder(timings=tmp_path / "timings").build(matmul, tmp_path / "engine")
    assert begun[0] == b"" and begun[1]
    (kept,) = (tmp_path / "timings").iterdir()
    kept.write_bytes(b"of another version")
    backend.Builder(timings=tmp_path / "timings").build(matmul, tmp_path / "engine")
    assert begun[2:] == [b"of another version", b""]


def test_build_goes_on_when_timings_cannot_be_kept(backend: SimpleNamespace, matmul: Path, tmp_path: Path) -> None:
    (tmp_path / "timings").write_text("a file where a folder should be")
    backend.Builder(timings=tmp_path / "timings").build(matmul, tmp_path / "engine")
    assert (tmp_path / "engine").is_file()


def test_options_reach_tensorrt_when_given(backend: SimpleNamespace, matmul: Path, tmp_path: Path) -> None:
    options = backend.Options(level=5, workspace_bytes=1 << 20, tactic_bytes=1 << 21, shared_memory_bytes=1 << 14)
    backend.Builder(options=options, timings=tmp_path).build(matmul, tmp_path / "engine")
    header = header_of(tmp_path / "engine")
    assert (header["level"], header["any_version"], header["any_gpu"]) == (5, False, False)
    assert header["limits_bytes"] == {"WORKSPACE": 1 << 20, "TACTIC_DRAM": 1 << 21, "TACTIC_SHARED_MEMORY": 1 << 14}


@pytest.mark.parametrize(
    ("portable", "header"), [("version", (True, False)), ("gpu", (False, True)), ("both", (True, True))]
)
def test_plan_is_as_portable_as_wanted(
    backend: SimpleNamespace, matmul: Path, tmp_path: Path, portable: str, header: tuple[bool, bool]
) -> None:
    backend.Builder(options=backend.Options(portable=portable), timings=tmp_path).build(matmul, tmp_path / "engine")
    noted = header_of(tmp_path / "engine")
    assert (noted["any_version"], noted["any_gpu"]) == header


def test_portability_is_refused_when_there_is_none_such(backend: SimpleNamespace) -> None:
    with pytest.raises(BadConfig, match="portable 'everywhere'"):
        backend.Builder(options=backend.Options(portable="everywhere"))


def test_level_is_refused_when_there_is_none_such(backend: SimpleNamespace) -> None:
    with pytest.raises(BadConfig, match="level 6"):
        backend.Builder(options=backend.Options(level=6))


def test_half_of_the_free_memory_is_workspace_when_none_is_named(
    builder: SimpleNamespace, matmul: Path, tmp_path: Path
) -> None:
    builder.build(matmul, tmp_path / "engine")
    assert header_of(tmp_path / "engine")["limits_bytes"] == {"WORKSPACE": 3 << 30}


def test_plan_is_built_again_when_it_is_of_another_tensorrt(
    backend: SimpleNamespace, builder: SimpleNamespace, tiny: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, part = EngineStore(tmp_path / "engines"), "embed_tokens"
    old = build_bundle(tiny, store, builder=builder, parts=[part])[part]
    monkeypatch.setattr(tensorrt, "__version__", "10.4.0")
    with pytest.raises(BuildFailed, match="10.3.0"):
        backend.Runner(old).activate()
    new = build_bundle(tiny, store, builder=builder, parts=[part])[part]
    assert new != old
    runner = backend.Runner(new)
    runner.activate()
    runner.deactivate()


def test_fp32_is_fp32_when_the_graph_says_so(builder: SimpleNamespace, matmul: Path, tmp_path: Path) -> None:
    builder.build(matmul, tmp_path / "engine")
    assert header_of(tmp_path / "engine")["tf32"] is False


def test_code_must_be_trusted_when_a_plan_is_for_any_version(
    backend: SimpleNamespace, matmul: Path, tmp_path: Path
) -> None:
    options = backend.Options(portable="both")
    backend.Builder(options=options, timings=tmp_path).build(matmul, tmp_path / "engine")
    with pytest.raises(BuildFailed, match="host code"):
        backend.Runner(tmp_path / "engine").activate()
    trusting = backend.Runner(tmp_path / "engine", trust_code=True)
    trusting.activate()
    trusting.deactivate()


def test_engines_differ_by_name_when_made_for_another_gpu_version_or_shape(backend: SimpleNamespace) -> None:
    plain = backend.Builder()
    assert plain.runtime == "tensorrt 10.3.0"
    assert plain.device == "Emulated GPU of compute capability 8.7"
    assert plain.shapes == "batch 1, prompt 1024, context 2048, step 8, read 1024, side 0"
    portable = backend.Builder(options=backend.Options(portable="both"))
    assert portable.runtime == "tensorrt 10.*"
    assert portable.device != plain.device
    assert backend.Builder(backend.Limits(batch=2)).shapes != plain.shapes
