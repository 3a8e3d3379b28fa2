"""From seconds to the figures that are reported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vlm_ros.benchmark.job import Timings
from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.errors import BenchmarkFailed


@dataclass(frozen=True)
class Figures:
    """One variant: medians, and the slower end where users feel it; ``parts_ms`` are medians by part."""

    name: str
    ttft_ms: float
    ttft_p90_ms: float
    step_ms: float
    step_p90_ms: float
    step_p99_ms: float
    tokens_per_s: float
    questions3_ms: float
    rss_mb: float
    load_s: float
    start_to_first_answer_s: float
    start_cpu_s: float
    build_s: float
    python_ms_per_token: float | None
    bandwidth_gbps: float | None
    bandwidth_share: float | None
    logits_pearson: float | None
    parts_ms: dict[str, float]


@dataclass(frozen=True)
class Ratios:
    """A variant beside transformers in fp32: less is better, but for ``decode_ratio``."""

    ttft_ratio: float
    decode_ratio: float
    rss_ratio: float
    questions3_ratio: float


def figures_from_timings(
    name: str,
    timings: Timings,
    *,
    bandwidth_share: float | None = None,
    logits_pearson: float | None = None,
    build_s: float = 0.0,
) -> Figures:
    """The figures of one process; ``BenchmarkFailed`` where no answer was long enough to time a token."""
    if not timings.steps_s:
        raise BenchmarkFailed(f"'{name}' ends its answers at once: measure a model with a longer describe_prompt")
    step_s = _median(timings.steps_s)
    return Figures(
        name=name,
        ttft_ms=_ms(_median(timings.first_tokens_s)),
        ttft_p90_ms=_ms(_percentile(timings.first_tokens_s, 90)),
        step_ms=_ms(step_s),
        step_p90_ms=_ms(_percentile(timings.steps_s, 90)),
        step_p99_ms=_ms(_percentile(timings.steps_s, 99)),
        tokens_per_s=round(1 / step_s, 2),
        questions3_ms=_ms(_median(timings.three_questions_s)),
        rss_mb=round(timings.peak_bytes / 1e6, 1),
        load_s=round(timings.load_s, 3),
        start_to_first_answer_s=round(timings.start_s, 3),
        start_cpu_s=round(timings.start_cpu_s, 3),
        build_s=round(build_s, 3),
        python_ms_per_token=_ms(_median(timings.python_steps_s)) if timings.python_steps_s else None,
        bandwidth_gbps=round(_median(timings.bandwidths_gbps), 2) if timings.bandwidths_gbps else None,
        bandwidth_share=bandwidth_share,
        logits_pearson=logits_pearson,
        parts_ms={part: _ms(_median(seconds)) for part, seconds in timings.parts_s.items()},
    )


def ratios_of(ours: Figures, peer: Figures) -> Ratios:
    """``ours`` beside ``peer``."""
    return Ratios(
        ttft_ratio=round(ours.ttft_ms / peer.ttft_ms, 4),
        decode_ratio=round(ours.tokens_per_s / peer.tokens_per_s, 4),
        rss_ratio=round(ours.rss_mb / peer.rss_mb, 4),
        questions3_ratio=round(ours.questions3_ms / peer.questions3_ms, 4),
    )


def share_of_bandwidth(read_bytes: int, timings: Timings) -> float | None:
    """How much of what memory can give the decoder's weights take, one token after the other, 0..1.

    The median of several answers, each beside what memory gave just before and after it; ``None`` without any.
    """
    if not timings.paced_steps_s:
        return None
    pace = zip(timings.paced_steps_s, timings.bandwidths_gbps, strict=True)
    return round(_median([read_bytes / step_s / (gbps * 1e9) for step_s, gbps in pace]), 4)


def pearson_of(ours: Path, peer: Path) -> float:
    """The correlation of the logits that two processes left in these files."""
    return round(agreement_of(np.load(ours), np.load(peer)).correlation, 6)


def _median(seconds: list[float]) -> float:
    return _percentile(seconds, 50)


def _percentile(seconds: list[float], percent: float) -> float:
    return float(np.percentile(seconds, percent))


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 4)
