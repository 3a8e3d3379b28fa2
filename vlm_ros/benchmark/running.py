"""Measuring processes, one after the other, each alone with its memory."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from vlm_ros.benchmark.job import Job, Timings, text_of, timings_from_text
from vlm_ros.benchmark.process import environment
from vlm_ros.core.errors import BenchmarkFailed

_PATIENCE_S = 1800.0


def run_ours(job: Job) -> Timings:
    """Our own model."""
    return timings_from_text(_run("ours", text_of(job), job.threads))


def run_peer(job: Job) -> Timings:
    """transformers."""
    return timings_from_text(_run("peer", text_of(job), job.threads))


def _run(program: str, argument: str, threads: int) -> str:
    """The last line that ``program`` prints."""
    command: Sequence[str] = (sys.executable, "-m", f"vlm_ros.benchmark.{program}", argument)
    done = subprocess.run(
        command, env=environment(threads), capture_output=True, text=True, timeout=_PATIENCE_S, check=False
    )
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        raise BenchmarkFailed(
            f"measuring '{program}' failed ({reason}): see it whole with  {' '.join(command[:3])} '{argument}'"
        )
    return lines[-1]
