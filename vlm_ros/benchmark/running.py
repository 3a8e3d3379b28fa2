"""Measuring processes, one after the other, each alone with its memory."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import vlm_ros
from vlm_ros.benchmark.job import Job, Timings, text_of, timings_from_text
from vlm_ros.core.errors import BenchmarkFailed

_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_PATIENCE_S = 1800.0


def run_ours(job: Job) -> Timings:
    """Our own model."""
    return timings_from_text(_run("ours", text_of(job), job.threads))


def run_peer(job: Job) -> Timings:
    """transformers."""
    return timings_from_text(_run("peer", text_of(job), job.threads))


def run_bandwidth(threads: int) -> float:
    """How fast memory is read, in gigabytes a second."""
    return float(_run("bandwidth", str(threads), 1))


def _run(program: str, argument: str, threads: int) -> str:
    """The last line that ``program`` prints."""
    command: Sequence[str] = (sys.executable, "-m", f"vlm_ros.benchmark.{program}", argument)
    done = subprocess.run(
        command, env=_environment(threads), capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise BenchmarkFailed(
            f"measuring '{program}' failed ({reason}): see it whole with  {' '.join(command[:3])} '{argument}'"
        )
    return lines[-1]


def _environment(threads: int) -> dict[str, str]:
    """Ours, with as many threads for every library, and this very package in front of all others."""
    source = str(Path(vlm_ros.__file__).parents[1])
    paths = os.pathsep.join(filter(None, (source, os.environ.get("PYTHONPATH"))))
    return {**os.environ, "PYTHONPATH": paths, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}
