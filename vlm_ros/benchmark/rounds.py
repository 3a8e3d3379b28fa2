"""The rounds that every measured model goes through, ours and the one that it is compared with."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from vlm_ros.benchmark.job import Job, Timings
from vlm_ros.benchmark.process import age_s, peak_bytes


class Measured(Protocol):
    """A loaded model that times its own answers; ``number`` says which picture they are about."""

    def answer(self, number: int, question: str, tokens: int) -> tuple[float, list[float]]:
        """Seconds to the first token about a new picture, pixels included, and to each that follows."""

    def three_questions(self, number: int) -> float:
        """Seconds for the job's three questions about one new picture."""


AnyMeasured = TypeVar("AnyMeasured", bound=Measured)


def measure_rounds(job: Job, load: Callable[[], AnyMeasured]) -> tuple[AnyMeasured, Timings]:
    """Load, answer once, warm up, then measure; the model, still loaded, and what it took."""
    began_s = time.perf_counter()
    model = load()
    load_s = time.perf_counter() - began_s
    model.answer(0, job.questions[0], job.short_tokens)
    start_s, start_cpu_s = age_s(), time.process_time()
    model.three_questions(0)
    answers = [model.answer(number, job.questions[0], job.tokens) for number in range(job.rounds)]
    three_questions_s = [model.three_questions(number) for number in range(job.rounds)]
    timings = Timings(
        load_s=load_s,
        start_s=start_s,
        start_cpu_s=start_cpu_s,
        first_tokens_s=[first_s for first_s, _ in answers],
        steps_s=[step for _, steps in answers for step in steps],
        three_questions_s=three_questions_s,
        peak_bytes=peak_bytes(),
    )
    return model, timings
