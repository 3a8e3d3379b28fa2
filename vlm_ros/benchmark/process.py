"""What every measuring process asks of itself."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import psutil

import vlm_ros

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

LOGIT_PICTURES = 6
"""How many prompts the logits are compared on."""


def pin(threads: int) -> None:
    """Keep to as many cores as there are threads: a thread that moves to another core leaves its cache behind."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, cores[-threads:])


def environment(threads: int) -> dict[str, str]:
    """Ours, with as many threads for every library, and this very package in front of all others."""
    source = str(Path(vlm_ros.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": paths, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}


def age_s() -> float:
    """Seconds since this process was born."""
    return time.time() - psutil.Process().create_time()


def peak_bytes() -> int:
    """The most memory this process ever held at once."""
    status = Path("/proc/self/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found.group(1)) * 1024 if found else psutil.Process().memory_info().rss
