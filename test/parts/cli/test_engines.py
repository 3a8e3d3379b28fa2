"""``vlm_ros engines`` as typed, on a real store."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from vlm_ros.build.building import build_bundle
from vlm_ros.build.store import EngineStore
from vlm_ros.cli import main
from vlm_ros.core.bundle import Bundle

TINY = Path(__file__).parents[2] / "bundles" / "tiny_llava"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EngineStore:
    """With the engines of a model."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    store = EngineStore()
    build_bundle(Bundle(TINY), store)
    return store


def told(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, object]:
    assert main(["engines", *words, "--json"]) == status
    return json.loads(capsys.readouterr().out)


def add_of_another_device(store: EngineStore, **changes: str) -> str:
    folder, manifest = store.entries()[0]
    key = replace(manifest.key, device="another device", **changes)
    store.add(key, lambda engine: engine.write_bytes(b"plan"))
    return key.name


def test_list_tells_what_each_engine_is_and_whether_it_runs_here(
    store: EngineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = add_of_another_device(store)
    engines = {row["key"]: row for row in told(capsys, "list")["engines"]}
    assert len(engines) == 4
    assert [key for key, row in engines.items() if not row["usable_here"]] == [foreign]
    row = next(row for key, row in engines.items() if key.startswith("vision_encoder") and key != foreign)
    assert row["precision"] == "fp32"
    assert row["runtime"].startswith("onnxruntime ")
    assert row["size_bytes"] > 1000
    assert row["built_at"].startswith("20")


def test_list_is_a_table_for_people(store: EngineStore, capsys: pytest.CaptureFixture[str]) -> None:
    add_of_another_device(store)
    assert main(["engines", "list"]) == 0
    said = capsys.readouterr().out
    assert "another device" in said
    assert "4 engines, " in said
    assert all(folder.name in said for folder, _ in store.entries())


def test_verify_names_the_bad_engine_and_sets_it_aside(store: EngineStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "verify") == {"engines": 3, "bad": {}, "not_set_aside": ""}
    folder, _ = store.entries()[0]
    content = bytearray((folder / "engine").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "engine").write_bytes(content)
    assert main(["engines", "verify"]) == 1
    said = capsys.readouterr().out
    assert f"{folder.name}: 'engine' has changed since it was built" in said
    assert "1 set aside" in said
    assert not folder.exists()
    assert told(capsys, "verify")["bad"] == {}


def test_prune_removes_what_no_device_or_model_here_needs(
    store: EngineStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign, own = add_of_another_device(store), [folder.name for folder, _ in store.entries()]
    assert list(told(capsys, "prune", "--dry-run")["removed"]) == [foreign]
    assert foreign in [folder.name for folder, _ in store.entries()]
    assert list(told(capsys, "prune")["removed"]) == [foreign]
    for folder, _ in store.entries():
        os.utime(folder, (0, 0))
    copy = shutil.copytree(TINY, tmp_path / "copy")
    assert told(capsys, "prune", "--model", str(copy))["removed"] == {}
    assert set(told(capsys, "prune")["removed"]) == set(own) - {foreign}
    assert store.entries() == []


@pytest.mark.parametrize("days", ["nan", "inf", "-1.0"])
def test_days_that_are_no_finite_time_are_refused(
    store: EngineStore, days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["engines", "prune", "--unused-days", days]) == 2
    assert f"--unused-days is {days}: give 0 or more" in capsys.readouterr().err
    assert len(store.entries()) == 3


def test_prune_keeps_the_engines_of_a_gate_that_is_named(
    store: EngineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = TINY.parent / "tiny_clip"
    gate = {path.parent.name for path in build_bundle(Bundle(clip), store).values()}
    assert len(gate) == 2
    for folder, _ in store.entries():
        os.utime(folder, (0, 0))
    assert not gate & set(told(capsys, "prune", "--model", str(clip))["removed"])
    assert set(told(capsys, "prune")["removed"]) == gate


def test_plans_of_a_library_that_is_not_here_stay_until_nobody_used_them_for_long(
    store: EngineStore, capsys: pytest.CaptureFixture[str]
) -> None:
    """They may be for another Python environment of the same board, and took hours to build."""
    plan = add_of_another_device(store, runtime="otherruntime 10.3")
    assert told(capsys, "prune")["removed"] == {}
    os.utime(store.folder / plan, (0, 0))
    assert list(told(capsys, "prune")["removed"]) == [plan]
