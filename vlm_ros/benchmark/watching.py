"""Runners that note how long each run takes."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.models.loading import assemble, parts_of
from vlm_ros.models.model import Model
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner, Tensors, TensorSpec


class WatchedRunner:
    """An active runner; ``runs`` are the tokens (or pictures) of each run and its seconds, ``latest`` its outputs."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self.runs: list[tuple[int, float]] = []
        self.latest: Tensors = {}

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """Those of the runner itself, as is all that follows."""
        return self._runner.inputs

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        return self._runner.outputs

    def activate(self) -> None:
        self._runner.activate()

    def deactivate(self) -> None:
        self._runner.deactivate()

    def run(self, feeds: Tensors, keep: Collection[str] = ()) -> Any:
        began_s = time.perf_counter()
        self.latest = self._runner.run(feeds, keep)
        self.runs.append((_length(feeds), time.perf_counter() - began_s))
        return self.latest


def watched_model(
    bundle: Bundle, engines: Mapping[str, Path], threads: int, cuda: bool = False
) -> tuple[Model, dict[str, WatchedRunner]]:
    """The model as ``load_model`` makes it, and the runners that are watched, by part."""
    runners = {part: WatchedRunner(runner_for(engines[part], threads=threads, cuda=cuda)) for part in parts_of(bundle)}
    for runner in runners.values():
        runner.activate()
    return assemble(bundle, runners), runners


def _length(feeds: Tensors) -> int:
    """The second axis of text is tokens; pictures count one each."""
    first = next(iter(feeds.values()))
    return int(np.shape(first)[1]) if len(first.shape) < 4 else int(first.shape[0])
