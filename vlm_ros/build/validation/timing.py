"""How long graphs take here, compared fairly on a machine that does other things too."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from vlm_ros.build.precision.graph import Feeds
from vlm_ros.build.validation.outputs import fitted
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner

_TURNS, _PASSES = 2, 4


def passes_s(
    graphs: Mapping[str, Path], samples: Sequence[Feeds], *, threads: int = 0, clock: Clock = monotonic_s
) -> dict[str, float]:
    """The time that each of ``graphs``, ONNX files or engines, takes for one pass over all ``samples``, in seconds.

    They take turns, so that what else the machine does meets all of them, and only one is loaded at a time: a small
    board has no room for more. The shortest pass counts, which is the one that was disturbed least.
    """
    turns = [
        {name: _shortest_pass_s(path, samples, threads, clock) for name, path in graphs.items()} for _ in range(_TURNS)
    ]
    return {name: min(turn[name] for turn in turns) for name in graphs}


def _shortest_pass_s(path: Path, samples: Sequence[Feeds], threads: int, clock: Clock) -> float:
    """Of several, the first of which warms up and does not count."""
    runner = runner_for(path, threads=threads)
    runner.activate()
    try:
        return min([_pass_s(runner, samples, clock) for _ in range(_PASSES)][1:])
    finally:
        runner.deactivate()


def _pass_s(runner: Runner, samples: Sequence[Feeds], clock: Clock) -> float:
    feeds = [fitted(runner, sample) for sample in samples]
    start_s = clock()
    for one in feeds:
        runner.run(one)
    return clock() - start_s
