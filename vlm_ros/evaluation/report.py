"""Many runs in one object."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vlm_ros.evaluation.metrics import EpisodeResult
from vlm_ros.navigation.policy import Outcome


@dataclass(frozen=True)
class Report:
    """Rates are shares of the scenes, in 0..1; the fields are the keys of the JSON line."""

    policy: str
    scenes: int
    seed: int
    success_rate: float
    spl: float
    collision_rate: float
    wrong_stops: int
    timeouts: int
    mean_time_s: float
    mean_decisions: float


def report_from_results(policy: str, seed: int, results: Sequence[EpisodeResult]) -> Report:
    """The report on at least one run; ``seed`` is that of the first scene."""
    return Report(
        policy=policy,
        scenes=len(results),
        seed=seed,
        success_rate=_mean([result.success for result in results]),
        spl=_mean([result.spl for result in results]),
        collision_rate=_mean([result.collisions > 0 for result in results]),
        wrong_stops=sum(result.wrong_stop for result in results),
        timeouts=sum(result.outcome is not Outcome.FOUND for result in results),
        mean_time_s=_mean([result.time_s for result in results]),
        mean_decisions=_mean([result.decisions for result in results]),
    )


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
