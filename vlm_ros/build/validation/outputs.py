"""What a graph or engine of a part answers, beside what another of the same part answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vlm_ros.core.agreement import Agreement, Gate, agreement_of
from vlm_ros.core.errors import BadBundle, BuildFailed
from vlm_ros.runtime.cache_names import cache_pairs
from vlm_ros.runtime.cache_shape import token_axis
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner

if TYPE_CHECKING:  # brings the onnx package, which a robot that only builds need not have
    from vlm_ros.build.precision.graph import Array, Feeds

LOGITS = "logits"
NOT_COMPARED = "nothing was compared: none of the answers runs the part"
"""What is wrong with a part without samples: a check that cannot fail is none."""


def compared_outputs(
    reference: Path | Runner, candidate: Path, samples: Sequence[Feeds]
) -> tuple[dict[str, Agreement], float | None]:
    """The agreement of every output over all ``samples``, and the share of equal next tokens where there are logits."""
    expected, actual = answers_of(reference, samples), answers_of(candidate, samples)
    agreements = {name: agreement_of(_joined(actual[name]), _joined(expected[name])) for name in expected}
    tokens = None
    if LOGITS in expected:
        same = [left.argmax(-1) == right.argmax(-1) for left, right in zip(actual[LOGITS], expected[LOGITS])]  # noqa: B905
        tokens = float(np.mean(_joined(same)))
    return agreements, tokens


def faults_of(outputs: Mapping[str, Agreement], tokens: float | None, gate: Gate) -> list[str]:
    """The bounds of ``gate`` that do not hold, in words; that nothing was compared, where there are no ``outputs``."""
    if not outputs:
        return [NOT_COMPARED]
    faults = [f"'{name}': {fault}" for name, agreement in outputs.items() for fault in agreement.faults(gate)]
    if tokens is not None and not tokens >= gate.tokens:
        faults.append(f"{tokens:.0%} of the next tokens are the same (at least {gate.tokens:.0%})")
    return faults


def answers_of(graph: Path | Runner, samples: Sequence[Feeds]) -> dict[str, list[Array]]:
    """What ``graph`` or an engine gives for each of ``samples``, by output; of a cache only what it added."""
    runner = runner_for(graph) if isinstance(graph, Path) else graph
    runner.activate()
    try:
        given = [runner.run(fitted(runner, feeds)) for feeds in samples]
        answers = {name: [outputs[name] for outputs in given] for name in runner.outputs} if given else {}
        for past, present in _caches(runner).items():
            axis = token_axis(runner.inputs[past], runner.outputs[present])
            if axis is not None and given:
                answers[present] = _added(answers[present], [feeds[past].shape[axis] for feeds in samples], axis)
        return answers
    finally:
        runner.deactivate()


def fitted(runner: Runner, feeds: Feeds) -> dict[str, Array]:
    """``feeds`` in the types that ``runner`` takes: a narrow graph has a narrow cache.

    ``BuildFailed`` where one is a cache of integers and the other of floats: the graph alone knows its scales.
    """
    for name in _caches(runner):
        taken, given = runner.inputs[name].dtype, feeds[name].dtype
        if (taken.kind == "f") != (given.kind == "f"):
            raise BuildFailed(
                f"'{name}' is {taken} here and {given} in what it is compared with, and the graph alone knows the "
                "scales: compare it with one that has the same cache, or the answers of both (vlm_ros ask --precision)"
            )
    return {name: feeds[name].astype(spec.dtype, copy=False) for name, spec in runner.inputs.items()}


def _caches(runner: Runner) -> Mapping[str, str]:
    """The cached inputs of ``runner`` with the outputs that continue them; none where it is no decoder."""
    try:
        return cache_pairs(runner.inputs, runner.outputs)
    except BadBundle:
        return {}


def _added(caches: Sequence[Array], held: Sequence[int], axis: int) -> list[Array]:
    """``caches`` without the tokens that were ``held`` before each run: those agree by themselves.

    A graph that gives all of its cache gives more than was held, whatever the run; others give only what is new.
    """
    if any(array.shape[axis] <= tokens for array, tokens in zip(caches, held, strict=True)):
        return list(caches)
    return [np.split(array, [tokens], axis)[1] for array, tokens in zip(caches, held, strict=True)]


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.ravel() for array in arrays])
