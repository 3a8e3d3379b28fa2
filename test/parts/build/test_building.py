"""A bundle's engines: built once, found afterwards, and honest on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_builder import FakeBuilder
from onnx_bytes import model_with_data

from vlm_ros.build.builder import UNWATCHED, Watch
from vlm_ros.build.building import build_bundle, find_engines
from vlm_ros.build.progress import Progress, Stage
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle, BuildFailed, Cancelled, MissingEngine

EMPTY = model_with_data()


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """Parts ``a``, ``b`` and ``c`` of 100, 300 and 600 bytes."""
    folder = tmp_path / "model"
    (folder / "onnx").mkdir(parents=True)
    for part, size in (("a", 100), ("b", 300), ("c", 600)):
        padding = size - len(EMPTY) - 3
        content = EMPTY + b"\x12" + bytes((padding & 0x7F | 0x80, padding >> 7)) + b"p" * padding
        (folder / "onnx" / f"{part}.onnx").write_bytes(content)
        assert len(content) == size
    return Bundle(folder)


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


def test_engines_are_found_when_they_were_built(bundle: Bundle, store: EngineStore) -> None:
    builder = FakeBuilder()
    built = build_bundle(bundle, store, builder=builder)
    assert find_engines(bundle, store, builder=builder) == built
    assert {part: path.read_bytes() for part, path in built.items()} == {
        part: bundle.onnx(part).read_bytes()[::-1] for part in ("a", "b", "c")
    }


def test_nothing_is_built_when_all_is_there(bundle: Bundle, store: EngineStore) -> None:
    builder, reports = FakeBuilder(), []
    build_bundle(bundle, store, builder=builder)
    build_bundle(bundle, store, builder=builder, on_progress=reports.append)
    assert builder.built == ["a.onnx", "b.onnx", "c.onnx"]
    assert reports[-1] == Progress("", Stage.READY, 1.0, 0.0, True, "'model' is ready")
    assert all(report.cached for report in reports if report.stage is Stage.READY)
    assert all(report.stage is not Stage.BUILDING for report in reports)


def test_progress_counts_bytes_and_predicts_the_rest(bundle: Bundle, store: EngineStore) -> None:
    builder, reports = FakeBuilder(), []
    build_bundle(bundle, store, builder=builder, on_progress=reports.append, clock=builder.clock)
    seen = [(report.part, report.stage.value, report.fraction, report.eta_s) for report in reports[3:]]
    assert seen == [
        ("a", "building", 0.0, None),
        ("a", "ready", pytest.approx(0.1), pytest.approx(900)),
        ("b", "building", pytest.approx(0.1), pytest.approx(900)),
        ("b", "ready", pytest.approx(0.4), pytest.approx(600)),
        ("c", "building", pytest.approx(0.4), pytest.approx(600)),
        ("c", "ready", 1.0, 0.0),
        ("", "ready", 1.0, 0.0),
    ]


def test_progress_counts_only_what_is_missing(bundle: Bundle, store: EngineStore) -> None:
    builder, reports = FakeBuilder(), []
    build_bundle(bundle, store, builder=builder, parts=("a", "c"))
    build_bundle(bundle, store, builder=builder, on_progress=reports.append)
    assert [(r.part, r.fraction) for r in reports if r.stage is Stage.BUILDING] == [("b", 0.0)]
    assert builder.built == ["a.onnx", "c.onnx", "b.onnx"]


def test_finished_parts_stay_when_cancelled(bundle: Bundle, store: EngineStore) -> None:
    builder = FakeBuilder()
    with pytest.raises(Cancelled, match="before 'b'"):
        build_bundle(bundle, store, builder=builder, cancelled=lambda: bool(builder.built))
    assert find_engines(bundle, store, builder=builder, parts=("a",))
    build_bundle(bundle, store, builder=builder)
    assert builder.built == ["a.onnx", "b.onnx", "c.onnx"]


def test_command_is_named_when_an_engine_is_missing(bundle: Bundle, store: EngineStore) -> None:
    (bundle.folder / "onnx" / "a_q4.onnx").write_bytes(EMPTY)
    with pytest.raises(MissingEngine, match=f"'a' of 'model'.*vlm_ros build {bundle.folder} --precision q4"):
        find_engines(bundle, store, "q4", builder=FakeBuilder())


@pytest.mark.parametrize("change", [{"runtime": "fakeruntime 1.1"}, {"device": "other"}, {"shapes": "1x3x96x96"}])
def test_engines_are_missing_when_the_machine_changed(bundle: Bundle, store: EngineStore, change: dict) -> None:
    build_bundle(bundle, store, builder=FakeBuilder())
    with pytest.raises(MissingEngine):
        find_engines(bundle, store, builder=FakeBuilder(**change))


def test_engine_is_rebuilt_when_the_model_changed(bundle: Bundle, store: EngineStore) -> None:
    builder = FakeBuilder()
    build_bundle(bundle, store, builder=builder)
    bundle.onnx("b").write_bytes(EMPTY)
    build_bundle(bundle, store, builder=builder)
    assert builder.built == ["a.onnx", "b.onnx", "c.onnx", "b.onnx"]


def test_failure_is_passed_on_and_leaves_nothing_when_a_part_cannot_be_built(
    bundle: Bundle, store: EngineStore
) -> None:
    class Failing(FakeBuilder):
        def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
            super().build(onnx, engine)
            raise BuildFailed("out of memory")

    with pytest.raises(BuildFailed, match="out of memory"):
        build_bundle(bundle, store, builder=Failing())
    assert store.entries() == []


@pytest.mark.parametrize("change", [lambda onnx: onnx.write_bytes(EMPTY), Path.unlink], ids=["written", "removed"])
def test_no_engine_is_kept_when_its_graph_changes_while_it_is_built(
    bundle: Bundle, store: EngineStore, change: Callable[[Path], object]
) -> None:
    class Overtaken(FakeBuilder):
        def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
            super().build(onnx, engine)
            change(onnx)

    with pytest.raises(BuildFailed, match=r"'.*a\.onnx' changed after its build began: build again"):
        build_bundle(bundle, store, builder=Overtaken())
    assert store.entries() == []


def test_nothing_is_built_of_a_graph_that_changed_while_another_builder_was_waited_for(
    bundle: Bundle, store: EngineStore
) -> None:
    def export_again(progress: Progress) -> None:
        if progress.stage is Stage.BUILDING:
            bundle.onnx("a").write_bytes(EMPTY)

    builder = FakeBuilder()
    with pytest.raises(BuildFailed, match="changed after its build began"):
        build_bundle(bundle, store, builder=builder, on_progress=export_again)
    assert builder.built == []
    build_bundle(bundle, store, builder=builder)


def test_bad_bundle_when_there_are_no_parts(tmp_path: Path, store: EngineStore) -> None:
    with pytest.raises(BadBundle, match="onnx"):
        build_bundle(Bundle(tmp_path), store, builder=FakeBuilder())
