"""Many runs in one object."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vlm_ros.evaluation.metrics import EpisodeResult
from vlm_ros.navigation.policy import Outcome


@dataclass(frozen=True)
class Report:
    """Rates are shares of the scenes, in 0..1; ``figures`` are means of the judge's figures, by name, over the runs
    that have them.

    ``timeouts`` ended by the clock; ``given_up`` by the robot, without having found anything.
    """

    policy: str
    task: str
    scenes: int
    seed: int
    success_rate: float
    collision_rate: float
    wrong_stops: int
    given_up: int
    timeouts: int
    mean_time_s: float
    mean_decisions: float
    figures: Mapping[str, float]

    def to_json(self) -> dict[str, object]:
        """One flat object: the fields, then the figures."""
        fields = dataclasses.asdict(self)
        figures = fields.pop("figures")
        return {**fields, **figures}


def report_from_results(policy: str, seed: int, results: Sequence[EpisodeResult]) -> Report:
    """The report on at least one run, all of one task; ``seed`` is that of the first scene."""
    given_up = (Outcome.NOT_FOUND, Outcome.LOST)
    return Report(
        policy=policy,
        task=results[0].task,
        scenes=len(results),
        seed=seed,
        success_rate=_mean([result.success for result in results]),
        collision_rate=_mean([result.collisions > 0 for result in results]),
        wrong_stops=sum(result.wrong_stop for result in results),
        given_up=sum(result.outcome in given_up and not result.timed_out for result in results),
        timeouts=sum(result.timed_out for result in results),
        mean_time_s=_mean([result.time_s for result in results]),
        mean_decisions=_mean([result.decisions for result in results]),
        figures=_mean_figures([result.figures for result in results]),
    )


def _mean_figures(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for each in figures for name in each)
    return {name: _mean([each[name] for each in figures if name in each]) for name in names}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)
