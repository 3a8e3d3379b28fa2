"""What real processes do to a store: die at any moment, race each other, run out of room."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import store_process

from vlm_ros.build.store import EngineStore
from vlm_ros.core.errors import BuildFailed

ROOT = Path(__file__).resolve().parents[3]


def start(folder: Path, *arguments: str, **pipes: int) -> subprocess.Popen[bytes]:
    command = (sys.executable, store_process.__file__, str(folder), *arguments)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **pipes)


@dataclass
class Outcome:
    """What was wrong after any kill, how many kills hit a build, and how many engines were finished in all."""

    damages: list[str] = field(default_factory=list)
    unfinished: int = 0
    engines: int = 0


def kill_builders(folder: Path, action: str, kills: int, builders: int, seed: int) -> Outcome:
    """Start ``builders`` at once and end them by SIGKILL at random moments, ``kills`` times; look after each."""
    moments, store, log = random.Random(seed), EngineStore(folder / "engines"), folder / "log"
    outcome, finished = Outcome(), 0
    log.touch()
    nursery = start(store.folder, action, str(log), stdin=subprocess.PIPE)
    assert nursery.stdin is not None and nursery.stdout is not None
    for _ in range(0, kills, builders):
        pids = []
        for _ in range(builders):
            nursery.stdin.write(b"%d\n" % finished)
            nursery.stdin.flush()
            pids.append(int(nursery.stdout.readline()))
        time.sleep(moments.uniform(0, 0.03))
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        while any(Path(f"/proc/{pid}").exists() for pid in pids):
            time.sleep(0.001)
        finished = max([finished, *(1 + int(line) for line in log.read_text().split())])
        outcome.unfinished += any(store.folder.glob("building/*"))
        outcome.damages += damages_of(store, finished)
    nursery.stdin.close()
    assert nursery.wait(10) == 0, nursery.stderr
    outcome.engines = finished
    return outcome


def damages_of(store: EngineStore, finished: int) -> list[str]:
    """Engines that are not whole, not the right ones, or lost; ``finished`` were announced."""
    damages = [f"{folder.name}: {fault}" for folder, fault in store.verify().items()]
    for number in range(finished):
        engine = store.find(store_process.key(number))
        if engine is None:
            damages.append(f"engine {number} is lost")
        elif engine.read_bytes() != store_process.content(number):
            damages.append(f"engine {number} is another one")
    return damages


@pytest.mark.parametrize(("kills", "builders"), [(200, 1), (100, 2)], ids=["alone", "two that want the same"])
def test_store_is_good_after_every_kill(tmp_path: Path, kills: int, builders: int) -> None:
    outcome = kill_builders(tmp_path, "nursery", kills, builders, seed=4)
    assert outcome.damages == []
    assert outcome.engines > 5, "hardly a builder came to an end: the test shows little"
    assert outcome.unfinished > 10, "hardly a kill hit a build: the test shows little"
    store = EngineStore(tmp_path / "engines")
    store.add(store_process.key(-1), store_process.write_slowly)
    assert not list(store.folder.glob("building/*")), "what the dead left is gone with the next build"


def test_the_same_kills_do_damage_when_a_store_writes_in_place(tmp_path: Path) -> None:
    outcome = kill_builders(tmp_path, "unsafe", kills=40, builders=1, seed=1)
    assert any("cannot be read" in damage for damage in outcome.damages)


def test_one_builds_when_two_processes_want_the_same(tmp_path: Path) -> None:
    log = tmp_path / "log"
    builders = [start(tmp_path / "engines", "race", str(log)) for _ in range(2)]
    paths = {builder.communicate(timeout=20)[0] for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0]
    assert len(log.read_text().splitlines()) == 1
    assert len(paths) == 1


def test_error_is_clear_and_nothing_stays_when_the_disk_is_full(tmp_path: Path) -> None:
    builder = start(tmp_path, "starve")
    errors = builder.communicate(timeout=20)[1].decode()
    assert "BuildFailed: cannot write the engine store" in errors
    assert "File too large" in errors
    assert not list(tmp_path.glob("building/*"))
    store = EngineStore(tmp_path)
    assert store.find(store_process.key(0)) is None
    assert store.add(store_process.key(0), store_process.write_slowly).stat().st_size == 20 * len(store_process.PIECE)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own with 100 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("needs to mount a file system")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_good_engines_stay_when_the_disk_runs_full(small_disk: Path) -> None:
    store = EngineStore(small_disk / "engines")
    small = store.add(store_process.key(1), lambda engine: engine.write_bytes(b"small"))
    with pytest.raises(BuildFailed, match="No space left on device.*make room on its disk"):
        store.add(store_process.key(2), lambda engine: engine.write_bytes(bytes(200_000)))
    assert store.find(store_process.key(1)) == small
    assert store.find(store_process.key(2)) is None
    assert not list(store.folder.glob("building/*"))
    assert store.add(store_process.key(3), lambda engine: engine.write_bytes(bytes(20_000))).is_file()
    assert store.verify() == {}


def test_good_engine_stays_when_the_disk_is_mounted_read_only(small_disk: Path) -> None:
    store = EngineStore(small_disk / "engines")
    engine = store.add(store_process.key(1), lambda engine: engine.write_bytes(b"small"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    assert store.find(store_process.key(1)) == engine
    with pytest.raises(BuildFailed, match="Read-only file system"):
        store.add(store_process.key(2), store_process.write_slowly)
