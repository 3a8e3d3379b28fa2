"""Builders as processes of their own, for the tests that kill, race and starve them.

store_process.py FOLDER loop         builds engine after engine, slowly, until killed
store_process.py FOLDER race LOG     builds one engine and notes it in LOG
store_process.py FOLDER starve       builds an engine larger than the process may write
"""

from __future__ import annotations

import itertools
import os
import resource
import sys
import time
from pathlib import Path

from vlm_ros.build.key import EngineKey
from vlm_ros.build.store import EngineStore

PIECE = b"engine " * 512


def key(number: int) -> EngineKey:
    """The key of the engine with that number."""
    return EngineKey(f"part{number}", "5f" * 32, "fp32", "dynamic", "fakeruntime 1.0", "fake device")


def write_slowly(engine: Path) -> None:
    """20 pieces in about 20 ms, each of them handed to the system at once."""
    with engine.open("wb", buffering=0) as file:
        for _ in range(20):
            file.write(PIECE)
            time.sleep(0.001)


def loop(store: EngineStore) -> None:
    """Build and announce until killed."""
    for number in itertools.count():
        store.add(key(number), write_slowly)
        os.write(1, b"%d\n" % number)


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


if __name__ == "__main__":
    folder, action, *rest = sys.argv[1:]
    {"loop": loop, "race": race, "starve": starve}[action](EngineStore(Path(folder)), *map(Path, rest))
