"""Timings as measuring processes give them, in round numbers."""

from __future__ import annotations

import pytest

from vlm_ros.benchmark.job import Timings


@pytest.fixture
def timings():
    """Makes the timings of a process that is ``slower`` times as slow as one of 0.1 s and 10 ms."""

    def made(slower=1.0, peak_bytes=400_000_000, **facts):
        return Timings(
            load_s=0.5,
            start_s=1.5,
            start_cpu_s=1.2,
            first_tokens_s=[0.1 * slower] * 3,
            steps_s=[0.01 * slower] * 9 + [0.03 * slower],
            three_questions_s=[0.2 * slower],
            peak_bytes=peak_bytes,
            **facts,
        )

    return made
