"""How long graphs take here, compared fairly on a machine that does other things too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from vlm_ros.build.precision.graph import Feeds
from vlm_ros.build.validation.outputs import fitted
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner

ROUNDS = 7


def passes_s(
    graphs: Mapping[str, Path], samples: Sequence[Feeds], *, threads: int = 0, clock: Clock = monotonic_s
) -> dict[str, float]:
    """The time that each of ``graphs``, ONNX files or engines, takes for one pass over all ``samples``, in seconds.

    They take turns, so that what else the machine does meets all of them; the shortest round counts,
    which is the one that was disturbed least. A first round warms up.
    """
    with ExitStack() as stack:
        runners = {name: runner_for(path, threads=threads) for name, path in graphs.items()}
        for runner in runners.values():
            stack.callback(runner.deactivate)
            runner.activate()
        rounds = [{name: _pass_s(runner, samples, clock) for name, runner in runners.items()} for _ in range(ROUNDS)]
    return {name: min(times[name] for times in rounds[1:]) for name in graphs}


def _pass_s(runner: Runner, samples: Sequence[Feeds], clock: Clock) -> float:
    feeds = [fitted(runner, sample) for sample in samples]
    start_s = clock()
    for one in feeds:
        runner.run(one)
    return clock() - start_s
