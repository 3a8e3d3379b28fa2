"""Builders as processes of their own, for the tests that kill, race and starve them.

store_process.py FOLDER nursery LOG  forks a builder for each line it reads, and says its process id
store_process.py FOLDER unsafe LOG   the same on a store that writes in place
store_process.py FOLDER race LOG     builds one engine and notes it in LOG
store_process.py FOLDER starve       builds an engine larger than the process may write
"""

from __future__ import annotations

import itertools
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from vlm_ros.build.key import EngineKey
from vlm_ros.build.store import EngineStore

PIECE = b"engine " * 512


def key(number: int) -> EngineKey:
    """The key of the engine with that number."""
    return EngineKey(f"part{number}", "5f" * 32, "fp32", "dynamic", "fakeruntime 1.0", "fake device")


def content(number: int) -> bytes:
    """What the engine with that number holds."""
    return b"engine %d " % number * 400


def write_in_pieces(engine: Path, number: int) -> None:
    """Eight pieces in a few milliseconds."""
    whole = content(number)
    with engine.open("wb", buffering=0) as file:
        for start in range(0, len(whole), len(whole) // 8):
            file.write(whole[start : start + len(whole) // 8])
            time.sleep(0.0005)


def write_slowly(engine: Path) -> None:
    """20 pieces in about 20 ms, each of them handed to the system at once."""
    with engine.open("wb", buffering=0) as file:
        for _ in range(20):
            file.write(PIECE)
            time.sleep(0.001)


class UnsafeStore(EngineStore):
    """Builds where the engine will be found: what a store must not do."""

    def _built(self, key: EngineKey, build: Callable[[Path], None]) -> Path:
        entry = self.folder / key.name
        entry.mkdir()
        self._build_in(entry, key, build)
        return entry / "engine"


def nursery(store: EngineStore, log: Path) -> None:
    """For each number read, fork a builder that begins with it and notes in ``log`` what it has finished."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead are not waited for
    for line in sys.stdin:
        pid = os.fork()
        if not pid:
            build_on(store, int(line), os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT))
        os.write(1, b"%d\n" % pid)


def build_on(store: EngineStore, first: int, log: int) -> None:
    """Build and note until killed."""
    for number in itertools.count(first):
        store.add(key(number), partial(write_in_pieces, number=number))
        os.write(log, b"%d\n" % number)


def race(store: EngineStore, log: Path) -> None:
    """Build one engine; whoever does adds a line to ``log``."""

    def build(engine: Path) -> None:
        with log.open("a") as file:
            file.write(f"{os.getpid()}\n")
        write_slowly(engine)

    os.write(1, str(store.add(key(0), build)).encode())


def starve(store: EngineStore) -> None:
    """Try to write more than there is room for."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(PIECE) * 5, len(PIECE) * 5))
    store.add(key(0), write_slowly)


ACTIONS = {"nursery": nursery, "unsafe": nursery, "race": race, "starve": starve}

if __name__ == "__main__":
    folder, action, *rest = sys.argv[1:]
    store = (UnsafeStore if action == "unsafe" else EngineStore)(Path(folder))
    ACTIONS[action](store, *map(Path, rest))
