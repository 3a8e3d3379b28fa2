"""An engine is whole and the right one, or it is not there."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from vlm_ros.build.key import EngineKey
from vlm_ros.build.lock import hold, locked
from vlm_ros.build.manifest import Manifest
from vlm_ros.build.store import EngineStore
from vlm_ros.core.errors import BuildFailed, Cancelled
from vlm_ros.core.places import engine_folder

KEY = EngineKey("vision_encoder", "5f" * 32, "fp32", "dynamic", "fakeruntime 1.0", "fake device")
NOBODY = 65534
CONTENT = bytes(range(256)) * 40


def write(engine: Path) -> None:
    engine.write_bytes(CONTENT)
    engine.with_name("engine.data").write_bytes(CONTENT[::-1])


def fail(engine: Path) -> None:
    raise AssertionError("built again")


@pytest.fixture
def store(tmp_path: Path) -> EngineStore:
    return EngineStore(tmp_path / "engines")


@pytest.fixture
def engine(store: EngineStore) -> Path:
    return store.add(KEY, write)


def test_engine_is_found_with_its_files_when_added(store: EngineStore, engine: Path) -> None:
    assert store.find(KEY) == engine
    assert engine.read_bytes() == CONTENT
    assert engine.with_name("engine.data").read_bytes() == CONTENT[::-1]
    assert store.add(KEY, fail) == engine


def test_nothing_is_found_when_the_store_is_empty(store: EngineStore) -> None:
    assert store.find(KEY) is None
    assert store.entries() == []
    assert store.verify() == {}
    assert not store.folder.exists()


def flip_a_byte(engine: Path) -> None:
    content = bytearray(engine.read_bytes())
    content[len(content) // 2] ^= 1
    engine.write_bytes(content)


def edit_manifest(**changes: object) -> Callable[[Path], None]:
    def edit(engine: Path) -> None:
        path = engine.with_name("manifest.json")
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return edit


DAMAGES: dict[str, Callable[[Path], None]] = {
    "flipped byte": flip_a_byte,
    "flipped byte in the other file": lambda engine: flip_a_byte(engine.with_name("engine.data")),
    "cut": lambda engine: os.truncate(engine, len(CONTENT) // 2),
    "emptied": lambda engine: os.truncate(engine, 0),
    "engine gone": Path.unlink,
    "other file gone": lambda engine: engine.with_name("engine.data").unlink(),
    "manifest gone": lambda engine: engine.with_name("manifest.json").unlink(),
    "manifest cut": lambda engine: os.truncate(engine.with_name("manifest.json"), 40),
    "manifest a list": lambda engine: engine.with_name("manifest.json").write_text("[1, 2]"),
    "manifest names no file": edit_manifest(checksums={}, sizes_bytes={}),
    "manifest of other types": edit_manifest(checksums=["engine"], sizes_bytes=3),
    "manifest with unknown fields": edit_manifest(colour="blue"),
    "manifest a pipe": lambda engine: (
        engine.with_name("manifest.json").unlink(),
        os.mkfifo(engine.parent / "manifest.json"),
    ),
    "folder is a file": lambda engine: (shutil.rmtree(engine.parent), engine.parent.write_text("x")),
    "folder is a dangling link": lambda engine: (shutil.rmtree(engine.parent), engine.parent.symlink_to("nowhere")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_engine_is_set_aside_and_rebuilt_when_damaged(
    store: EngineStore, engine: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    DAMAGES[damage](engine)
    with caplog.at_level(logging.WARNING):
        assert store.find(KEY) is None
    assert str(engine.parent) in caplog.text
    assert store.add(KEY, write).read_bytes() == CONTENT
    assert store.verify() == {}
    aside = list((store.folder / "quarantine").iterdir())
    assert len(aside) == 1
    assert list(store.prune(old)) == aside
    assert not list((store.folder / "quarantine").iterdir())


def test_engine_is_refused_when_it_was_built_for_another_device(store: EngineStore, engine: Path) -> None:
    foreign = replace(KEY, device="another device")
    shutil.copytree(engine.parent, store.folder / foreign.name)
    assert store.find(foreign) is None
    assert list(store.verify()) == [store.folder / foreign.name]
    assert store.find(KEY) == engine


@pytest.mark.parametrize("fault", [ValueError("bug"), KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_nothing_stays_when_building_fails(store: EngineStore, fault: BaseException) -> None:
    def build(engine: Path) -> None:
        write(engine)
        raise fault

    with pytest.raises(BuildFailed if isinstance(fault, OSError) else type(fault)):
        store.add(KEY, build)
    assert sorted(path.name for path in store.folder.iterdir()) in (["building", "lock"], ["lock"])
    assert not list(store.folder.glob("building/*"))
    assert store.add(KEY, write).read_bytes() == CONTENT


def test_refused_when_the_builder_wrote_nothing(store: EngineStore) -> None:
    with pytest.raises(BuildFailed, match="without an engine"):
        store.add(KEY, lambda engine: None)
    assert store.find(KEY) is None


def test_folder_is_named_when_the_store_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = EngineStore(tmp_path / "file" / "engines")
    assert store.find(KEY) is None
    with pytest.raises(BuildFailed, match=r"cannot write the engine store '.*file/engines'.*XDG_CACHE_HOME"):
        store.add(KEY, write)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_engines_are_found_but_not_added_when_the_folder_is_read_only(store: EngineStore, engine: Path) -> None:
    with tempfile.TemporaryDirectory() as readable:
        shutil.copytree(store.folder, readable, dirs_exist_ok=True)
        Path(readable).chmod(0o755)
        os.seteuid(NOBODY)
        try:
            assert EngineStore(Path(readable)).find(KEY) == Path(readable, KEY.name, "engine")
            with pytest.raises(BuildFailed, match="Permission denied"):
                EngineStore(Path(readable)).add(replace(KEY, part="other"), write)
        finally:
            os.seteuid(0)


def test_second_builder_waits_and_builds_nothing_when_the_first_is_busy(store: EngineStore) -> None:
    entered, may_finish = threading.Event(), threading.Event()
    found: list[Path] = []

    def slow(engine: Path) -> None:
        entered.set()
        assert may_finish.wait(5)
        write(engine)

    first = threading.Thread(target=lambda: store.add(KEY, slow))
    second = threading.Thread(target=lambda: found.append(store.add(KEY, fail)))
    first.start()
    assert entered.wait(5)
    second.start()
    second.join(0.1)
    assert second.is_alive()
    may_finish.set()
    first.join(5)
    second.join(5)
    assert found == [store.find(KEY)]


def test_waiting_ends_when_cancelled(store: EngineStore, engine: Path) -> None:
    asked: list[bool] = []
    with locked(store.folder / "lock", lambda: False), pytest.raises(Cancelled, match="lock"):
        store.add(replace(KEY, part="other"), fail, cancelled=lambda: bool(asked.append(True)) or len(asked) > 2)


def test_entries_tell_what_is_there(store: EngineStore, engine: Path) -> None:
    ((folder, manifest),) = store.entries()
    assert folder == engine.parent
    assert manifest.key == KEY
    assert manifest.total_bytes == 2 * len(CONTENT)
    assert abs(manifest.built_at_s - time.time()) < 60


def old(manifest: Manifest, found_at_s: float) -> str:
    return "old" if found_at_s < time.time() - 3600 else ""


def test_only_what_is_not_needed_goes_when_pruned(store: EngineStore, engine: Path) -> None:
    unused = store.add(replace(KEY, part="old"), write).parent
    looked_up = store.add(replace(KEY, part="looked_up"), write).parent
    for folder in (unused, looked_up):
        os.utime(folder, (0, 0))
    store.find(replace(KEY, part="looked_up"))
    assert store.prune(old, dry_run=True) == {unused: "old"}
    assert unused.exists()
    assert store.prune(old) == {unused: "old"}
    assert [folder for folder, _ in store.entries()] == [looked_up, engine.parent]


def test_engine_stays_when_somebody_holds_it(store: EngineStore, engine: Path) -> None:
    os.utime(engine.parent, (0, 0))
    with hold([engine.with_name("manifest.json")]), hold([engine.with_name("manifest.json")]):
        assert store.prune(old) == {}
    assert list(store.prune(old)) == [engine.parent]


def test_nothing_is_pruned_while_an_engine_is_built(store: EngineStore, engine: Path) -> None:
    os.utime(engine.parent, (0, 0))

    def build(path: Path) -> None:
        with pytest.raises(Cancelled, match="lock"):
            store.prune(old)
        write(path)

    assert store.add(replace(KEY, part="other"), build).read_bytes() == CONTENT
    assert engine.is_file()


def test_quarantine_and_unreadable_engines_go_when_pruned(store: EngineStore, engine: Path) -> None:
    flip_a_byte(engine)
    store.add(KEY, write)
    (aside,) = (store.folder / "quarantine").iterdir()
    unreadable = store.add(replace(KEY, part="other"), write)
    unreadable.with_name("manifest.json").unlink()
    assert set(store.prune(old)) == {aside, unreadable.parent}
    assert not aside.exists()


def test_link_goes_and_what_it_leads_to_stays_when_pruned(store: EngineStore, engine: Path, tmp_path: Path) -> None:
    elsewhere = engine.parent.rename(tmp_path / "elsewhere")
    engine.parent.symlink_to(elsewhere)
    os.utime(elsewhere, (0, 0))
    assert store.prune(old) == {engine.parent: "old"}
    assert not engine.parent.is_symlink()
    assert (elsewhere / engine.name).read_bytes() == CONTENT


def test_engine_whose_manifest_is_a_pipe_goes_when_pruned(store: EngineStore, engine: Path) -> None:
    DAMAGES["manifest a pipe"](engine)
    assert store.entries() == []
    assert store.prune(old) == {engine.parent: "its manifest cannot be read"}


def test_bad_engines_are_set_aside_and_good_ones_stay_when_told(store: EngineStore, engine: Path) -> None:
    bad = store.add(replace(KEY, part="other"), write)
    flip_a_byte(bad)
    assert "has changed" in store.quarantine()[bad.parent]
    assert store.find(KEY) == engine
    assert store.verify() == {}
    assert len(list((store.folder / "quarantine").iterdir())) == 1


def test_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert engine_folder() == Path("/cache/vlm_ros/engines")
    monkeypatch.setenv("HOME", "/home/robot")
    for unusable in ("", "relative/cache"):
        monkeypatch.setenv("XDG_CACHE_HOME", unusable)
        assert engine_folder() == Path("/home/robot/.cache/vlm_ros/engines")
