"""What a measuring process is told, and what it tells: both cross from process to process as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

import numpy as np

from vlm_ros.core.frame import Frame


@dataclass(frozen=True)
class Job:
    """``model`` is the folder of a bundle or of a checkpoint; ``engines`` are paths by part.

    ``tokens`` are decoded in each of ``rounds`` answers, ``short_tokens`` in each of three questions about one
    frame; the logits after the prompt are left in the file ``logits``. With ``cuda`` an NVIDIA GPU computes.
    """

    model: str
    questions: tuple[str, str, str]
    engines: dict[str, str] = field(default_factory=dict)
    threads: int = 1
    rounds: int = 5
    tokens: int = 32
    short_tokens: int = 8
    logits: str = ""
    cuda: bool = False


@dataclass(frozen=True)
class Timings:
    """What one process measured, warm-up left out; ``start_s`` is from its birth to its first answer.

    ``paced_steps_s`` are median seconds of a token, an answer each, and ``bandwidths_gbps`` how fast memory was read
    before and after that answer, on average.
    """

    load_s: float
    start_s: float
    start_cpu_s: float
    first_tokens_s: list[float]
    steps_s: list[float]
    three_questions_s: list[float]
    peak_bytes: int
    parts_s: dict[str, list[float]] = field(default_factory=dict)
    python_steps_s: list[float] = field(default_factory=list)
    paced_steps_s: list[float] = field(default_factory=list)
    bandwidths_gbps: list[float] = field(default_factory=list)


def job_from_text(text: str) -> Job:
    """The job that ``text_of`` wrote."""
    content = json.loads(text)
    return Job(**{**content, "questions": tuple(content["questions"])})


def timings_from_text(text: str) -> Timings:
    """The timings that ``text_of`` wrote."""
    return Timings(**json.loads(text))


def text_of(content: Job | Timings) -> str:
    """One line of JSON."""
    return json.dumps(asdict(content))


def picture(number: int) -> Frame:
    """Noise in the size of a camera's picture; the same ``number`` gives the same pixels everywhere."""
    return Frame(np.random.default_rng(number).integers(0, 256, (480, 640, 3), np.uint8))
