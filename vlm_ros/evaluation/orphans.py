"""Worker processes outlive neither the work that they are for nor the process that started them, however it ends."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.process import BaseProcess


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Workers that are started meanwhile never see Ctrl-C, which a terminal sends to all: their parent ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def ended_early() -> Iterator[None]:
    """End the workers that were started meanwhile where an error or an interrupt ends the work: a pool would wait for
    what they have begun."""
    others = multiprocessing.active_children()
    try:
        yield
    except BaseException:
        for worker in multiprocessing.active_children():
            if worker not in others:
                worker.terminate()
        raise


def end_with_parent() -> None:
    """End this worker once the process that started it is gone; call it first thing in the worker.

    A pool's workers wait for work on a pipe that they hold open themselves, so they never learn that nobody will
    send any: a parent that was killed has no time to tell them.
    """
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_after, args=(parent,), name="end-with-parent", daemon=True).start()


def _end_after(parent: BaseProcess) -> None:
    parent.join()
    os._exit(1)
