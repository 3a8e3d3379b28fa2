"""What real processes do to a store: die at any moment, race each other, run out of room."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import store_process

from vlm_ros.build.store import EngineStore

ROOT = Path(__file__).resolve().parents[3]


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = (sys.executable, store_process.__file__, str(folder), *arguments)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{os.environ.get('PYTHONPATH', '')}"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)


def test_store_is_good_when_a_builder_is_killed_at_any_moment(tmp_path: Path) -> None:
    store = EngineStore(tmp_path)
    moments = random.Random(4)
    left_unfinished = 0
    for _ in range(8):
        builder = start(tmp_path, "loop")
        assert builder.stdout is not None
        announced = int(builder.stdout.readline())
        time.sleep(moments.uniform(0, 0.06))
        builder.send_signal(signal.SIGKILL)
        assert builder.wait() == -signal.SIGKILL
        announced = max([announced, *map(int, builder.stdout.read().split())])
        left_unfinished += any(tmp_path.glob("building/*"))
        assert store.verify() == {}
        assert all(store.find(store_process.key(number)) for number in range(announced + 1))
    assert left_unfinished, "no kill hit a build: the test shows nothing"
    store.add(store_process.key(-1), store_process.write_slowly)
    assert not list(tmp_path.glob("building/*"))


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
