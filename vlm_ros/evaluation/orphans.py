"""Worker processes do not outlive the process that they work for, however that one ends."""

from __future__ import annotations

import multiprocessing
import os
import threading
from multiprocessing.process import BaseProcess


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
