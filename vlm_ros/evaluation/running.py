"""Runs over many scenes, in several processes, with results that do not depend on how many."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig
from vlm_ros.evaluation.episode import EpisodeConfig, run_episode
from vlm_ros.evaluation.metrics import EpisodeResult
from vlm_ros.evaluation.orphans import end_with_parent, ended_early, uninterrupted
from vlm_ros.evaluation.sources import BlindSource, ModelSource, OracleSource, PerceptSource
from vlm_ros.evaluation.witness import Witness
from vlm_ros.navigation.navigator import Mode
from vlm_ros.sim.draw import draw_scene, with_walking_target
from vlm_ros.sim.layout import Layout
from vlm_ros.sim.scene import Scene

POLICIES = ("vlm", "oracle", "blind")


@dataclass(frozen=True)
class Runs:
    """Which scenes to run and how; scene ``i`` has the seed ``seed + i``. ``bundle`` and ``witness`` are for ``vlm``.

    With ``target_absent`` the robot is told to look for something that is not there.
    """

    policy: str
    scenes: int
    seed: int
    episode: EpisodeConfig = field(default_factory=EpisodeConfig)
    bundle: Path | None = None
    layout: Layout = Layout.OPEN
    target_absent: bool = False
    witness: Witness = Witness.QUESTION

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise BadConfig(f"unknown policy '{self.policy}': known are {', '.join(POLICIES)}")
        if self.scenes < 1:
            raise BadConfig(f"{self.scenes} scenes cannot be run: give 1 or more")
        if self.seed < 0:
            raise BadConfig(f"no scene has the seed {self.seed}: give 0 or more")
        if self.target_absent and self.episode.mode is not Mode.SEARCH:
            raise BadConfig(f"a target that is absent can be searched for only: the mode is {self.episode.mode.value}")

    def scene(self, seed: int) -> Scene:
        """The scene of ``seed``; a target that is to be followed walks."""
        scene = draw_scene(seed, layout=self.layout, target_absent=self.target_absent)
        return with_walking_target(scene) if self.episode.mode is Mode.FOLLOW else scene


def run_scenes(runs: Runs, processes: int = 1) -> Iterator[EpisodeResult]:
    """The results in order of the seeds, each as soon as it is there."""
    seeds = range(runs.seed, runs.seed + runs.scenes)
    if processes <= 1 or runs.scenes == 1:
        yield from map(_Runner(runs), seeds)
        return
    # Spawned, not forked: a copy of a process that draws or infers inherits locks that nobody opens.
    context = multiprocessing.get_context("spawn")
    workers = min(processes, runs.scenes)
    with ProcessPoolExecutor(workers, context, initializer=end_with_parent) as pool, ended_early():
        with uninterrupted():
            results = [pool.submit(_run_seed, runs, seed) for seed in seeds]
        yield from (result.result() for result in results)


class _Runner:
    """Loads what the policy needs once, then runs one scene after the other."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs
        self._source = _source(runs)

    def __call__(self, seed: int) -> EpisodeResult:
        return run_episode(self._runs.scene(seed), self._source, self._runs.episode)


@cache
def _runner(runs: Runs) -> _Runner:
    """A worker's own, made with its first scene: an error travels from there to the caller, as none that a pool's
    initializer raises."""
    return _Runner(runs)


def _run_seed(runs: Runs, seed: int) -> EpisodeResult:
    return _runner(runs)(seed)


def _source(runs: Runs) -> PerceptSource:
    if runs.policy == "oracle":
        return OracleSource()
    if runs.policy == "blind":
        return BlindSource()
    if runs.bundle is None:
        raise BadConfig("the policy 'vlm' needs a model: give its bundle")
    from vlm_ros.models.loading import load_model

    bundle = Bundle(runs.bundle)
    return ModelSource(load_model(bundle, threads=1), bundle.card, runs.witness)
