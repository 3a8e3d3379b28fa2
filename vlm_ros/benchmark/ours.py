"""A process that measures our own model, as a robot runs it: ``python -m vlm_ros.benchmark.ours JOB``."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vlm_ros.benchmark.bandwidth import measured_bandwidth
from vlm_ros.benchmark.job import Job, Timings, job_from_text, picture, text_of
from vlm_ros.benchmark.process import LOGIT_PICTURES, pin
from vlm_ros.benchmark.rounds import measure_rounds
from vlm_ros.benchmark.watching import WatchedRunner, watched_model
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.models.loading import load_model
from vlm_ros.models.model import Model


class StepClock:
    """A ``Stop`` that never stops: it is asked once before each token, and notes when."""

    def __init__(self) -> None:
        self.asked_s: list[float] = []

    def __call__(self) -> bool:
        self.asked_s.append(time.perf_counter())
        return False

    @property
    def steps_s(self) -> list[float]:
        """How long each token after the first took."""
        return [later - earlier for earlier, later in itertools.pairwise(self.asked_s[1:])]


class Ours:
    """A model with its engines, asked as a robot asks: three questions share one observation."""

    def __init__(self, job: Job, model: Model) -> None:
        self._job = job
        self._model = model

    def answer(self, number: int, question: str, tokens: int) -> tuple[float, list[float]]:
        """As ``Measured.answer``."""
        clock = StepClock()
        answer = self._model.observe(picture(number)).ask(question, FreeText(tokens), stop=clock)
        return answer.first_token_s, clock.steps_s

    def three_questions(self, number: int) -> float:
        """As ``Measured.three_questions``."""
        began_s = time.perf_counter()
        observation = self._model.observe(picture(number))
        for question in self._job.questions:
            observation.ask(question, FreeText(self._job.short_tokens))
        return time.perf_counter() - began_s

    def close(self) -> None:
        """Free the model."""
        self._model.close()


def measure(job: Job) -> Timings:
    """The rounds, then a pass with watched runners, which comes last since it loads the model again."""
    bundle = Bundle(Path(job.model))
    engines = {part: Path(path) for part, path in job.engines.items()}
    ours, timings = measure_rounds(
        job, lambda: Ours(job, load_model(bundle, engines, threads=job.threads, cuda=job.cuda))
    )
    ours.close()
    with measured_bandwidth(job.threads) as bandwidth_gbps:
        return dataclasses.replace(timings, **_watch(bundle, engines, job, bandwidth_gbps))


def _watch(bundle: Bundle, engines: dict[str, Path], job: Job, bandwidth_gbps: Callable[[], float]) -> dict[str, Any]:
    """The fields of ``Timings`` that a pass with watched runners gives; leaves the logits in their file."""
    model, runners = watched_model(bundle, engines, job.threads, job.cuda)
    ours, question = Ours(job, model), job.questions[0]
    ours.answer(0, question, job.short_tokens)
    logits = []
    for number in range(LOGIT_PICTURES):
        ours.answer(number, question, 1)
        logits.append(np.asarray(runners["decoder_model_merged"].latest["logits"])[0, -1].astype(np.float32))
    np.save(job.logits, np.stack(logits))
    parts_s: dict[str, list[float]] = {}
    python_steps_s: list[float] = []
    paced_steps_s: list[float] = []
    bandwidths_gbps: list[float] = []
    before_gbps = bandwidth_gbps()
    for number in range(job.rounds):
        for runner in runners.values():
            runner.runs.clear()
        steps_s = ours.answer(number, question, job.tokens)[1]
        _add_parts(parts_s, runners)
        python_steps_s += _python_s(steps_s, runners)
        after_gbps = bandwidth_gbps()
        if steps_s:
            paced_steps_s.append(float(np.median(steps_s)))
            bandwidths_gbps.append((before_gbps + after_gbps) / 2)
        before_gbps = after_gbps
    ours.close()
    return {
        "parts_s": parts_s,
        "python_steps_s": python_steps_s,
        "paced_steps_s": paced_steps_s,
        "bandwidths_gbps": bandwidths_gbps,
    }


def _add_parts(parts_s: dict[str, list[float]], runners: dict[str, WatchedRunner]) -> None:
    """Note the seconds of each run by part, of text parts apart for the prompt and for single tokens."""
    for part, runner in runners.items():
        for length, seconds in runner.runs:
            kind = "" if part == "vision_encoder" else " (one token)" if length == 1 else " (prompt)"
            parts_s.setdefault(part + kind, []).append(seconds)


def _python_s(steps_s: Sequence[float], runners: dict[str, WatchedRunner]) -> list[float]:
    """Each step less its run of the embedding table and of the decoder. The last run ends no step that was noted."""
    runs = [
        [seconds for length, seconds in runners[part].runs if length == 1]
        for part in ("embed_tokens", "decoder_model_merged")
    ]
    return [step_s - embed_s - decode_s for step_s, embed_s, decode_s in zip(steps_s, *runs, strict=False)]


if __name__ == "__main__":
    the_job = job_from_text(sys.argv[1])
    pin(the_job.threads)
    print(text_of(measure(the_job)))
