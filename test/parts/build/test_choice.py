"""The precision of each part on this device: chosen once, kept, and asked for as auto."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_builder import FakeBuilder
from onnx_bytes import model_with_data

from vlm_ros.build.building import build_bundle, find_engines
from vlm_ros.build.choice import Candidate, Choice, choose, keep_choice, kept_precision
from vlm_ros.build.store import EngineStore
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed, MissingEngine

FP32, Q4 = Candidate("fp32", 0.010, ()), Candidate("q4", 0.004, ())


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    folder = tmp_path / "model" / "onnx"
    folder.mkdir(parents=True)
    for name in ("a", "a_q4", "b", "b_q4"):
        (folder / f"{name}.onnx").write_bytes(model_with_data() + b"\x12\x04" + name.ljust(4).encode())
    return Bundle(folder.parent)


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


def test_fastest_is_chosen_when_all_pass() -> None:
    choice = choose([FP32, Q4, Candidate("int8", 0.005, ())])
    assert choice == Choice("q4", "fastest of those that passed, 4.00 ms (fp32 10.00 ms; int8 5.00 ms)")


def test_fastest_is_refused_with_its_fault_when_it_fails_its_gate() -> None:
    choice = choose([FP32, Candidate("q4", 0.004, ("correlation 0.9 (at least 0.98)",))])
    assert choice.precision == "fp32"
    assert "q4 4.00 ms, refused: correlation 0.9 (at least 0.98)" in choice.reason


def test_engines_are_of_the_chosen_precisions_when_asked_for_auto(bundle: Bundle, store: EngineStore) -> None:
    builder = FakeBuilder()
    keep_choice(bundle, "a", Choice("q4", "fast"), store, builder)
    build_bundle(bundle, store, precision="auto", builder=builder)
    assert builder.built == ["a_q4.onnx", "b.onnx"]
    engines = find_engines(bundle, store, "auto", builder=builder)
    assert engines["a"] == find_engines(bundle, store, "q4", builder=builder, parts=("a",))["a"]
    assert store.verify() == {}


def test_command_is_named_when_nothing_is_built(bundle: Bundle, store: EngineStore) -> None:
    with pytest.raises(MissingEngine, match="--precision auto"):
        find_engines(bundle, store, "auto", builder=FakeBuilder())


def test_choice_is_forgotten_when_the_device_or_the_model_changes(bundle: Bundle, store: EngineStore) -> None:
    keep_choice(bundle, "a", Choice("q4", "fast"), store, FakeBuilder())
    assert kept_precision(bundle, "a", store, FakeBuilder()) == "q4"
    assert kept_precision(bundle, "a", store, FakeBuilder(device="other")) is None
    bundle.onnx("a").write_bytes(model_with_data())
    assert kept_precision(bundle, "a", store, FakeBuilder()) is None


@pytest.mark.parametrize(
    "content",
    ["{", '["int8"]', '{"precision": ["int8"], "reason": ""}', '{"precision": "fp99", "reason": ""}'],
    ids=["cut", "a list", "list for a precision", "unknown precision"],
)
def test_choice_is_none_when_its_file_is_damaged(bundle: Bundle, store: EngineStore, content: str) -> None:
    keep_choice(bundle, "a", Choice("q4", "fast"), store, FakeBuilder())
    (path,) = store.folder.glob("*.choice.json")
    path.write_text(content)
    assert kept_precision(bundle, "a", store, FakeBuilder()) is None


def test_nothing_stays_when_a_choice_cannot_be_kept(bundle: Bundle, store: EngineStore) -> None:
    keep_choice(bundle, "a", Choice("q4", "fast"), store, FakeBuilder())
    (path,) = store.folder.iterdir()
    path.unlink()
    path.mkdir()
    with pytest.raises(BuildFailed, match="cannot write the choice of a precision"):
        keep_choice(bundle, "a", Choice("q4", "fast"), store, FakeBuilder())
    assert list(store.folder.iterdir()) == [path]
