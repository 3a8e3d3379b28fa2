"""One process at a time, also after one was killed."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from vlm_ros.core.errors import Cancelled

_POLL_S = 0.05


def never() -> bool:
    """The answer to ``cancelled`` of those who do not cancel."""
    return False


@contextmanager
def locked(path: Path, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Hold the lock file ``path``; wait for whoever holds it, and raise ``Cancelled`` when told to give up.

    The kernel frees the lock with the process that held it, whatever ended that process.
    """
    with path.open("a") as file:
        while not _taken(file):
            if cancelled():
                raise Cancelled(f"gave up waiting for another process that holds '{path}'")
            time.sleep(_POLL_S)
        yield


@contextmanager
def hold(paths: Iterable[Path]) -> Iterator[None]:
    """Let ``is_held`` say yes of ``paths`` in every process; as many may hold them as like to."""
    with ExitStack() as stack:
        for path in paths:
            fcntl.flock(stack.enter_context(path.open("rb")), fcntl.LOCK_SH)
        yield


def is_held(path: Path) -> bool:
    """Whether somebody holds the file ``path``; what is no file, or cannot be read, is held by nobody."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return not _taken(file)
    except OSError:
        return False


def _taken(file: IO[Any]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
