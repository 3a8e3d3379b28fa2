"""Shared memory of Fast DDS: a killed process leaves its segments in /dev/shm for ever."""

from __future__ import annotations

import fcntl
from collections.abc import Iterable
from pathlib import Path

_SEGMENTS = "/dev/shm/fastdds_"


def shared_memory_of(pid: int) -> set[Path]:
    """The Fast DDS segments that a process has mapped; empty where it is gone."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except OSError:
        return set()
    return {Path(line[line.index("/") :]) for line in maps.splitlines() if _SEGMENTS in line and "deleted" not in line}


def remove_leftovers(segments: Iterable[Path]) -> None:
    """Delete those of ``segments`` that no living process owns.

    The owner of a segment holds a lock on the file beside it that ends in ``_el``, a port's users share one that
    ends in ``_sl`` or ``_el`` (Fast DDS, RobustExclusiveLock.hpp and RobustSharedLock.hpp).
    """
    for segment in segments:
        locks = [lock for ending in ("_el", "_sl") if (lock := Path(f"{segment}{ending}")).exists()]
        if segment.exists() and not any(map(_is_held, locks)):
            for file in (segment, *locks, segment.with_name(f"sem.{segment.name}_mutex")):
                file.unlink(missing_ok=True)


def _is_held(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
