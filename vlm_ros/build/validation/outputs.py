"""What a graph or engine of a part answers, beside what another of the same part answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vlm_ros.core.agreement import Agreement, Gate, agreement_of
from vlm_ros.runtime.cache_shape import token_axis
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner

if TYPE_CHECKING:  # brings the onnx package, which a robot that only builds need not have
    from vlm_ros.build.precision.graph import Array, Feeds

_PAST, _PRESENT = "past_key_values.", "present."
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
        answers: dict[str, list[Array]] = {}
        for feeds in samples:
            for name, array in runner.run(fitted(runner, feeds)).items():
                answers.setdefault(name, []).append(_added(runner, name, array, feeds))
        return answers
    finally:
        runner.deactivate()


def fitted(runner: Runner, feeds: Feeds) -> dict[str, Array]:
    """``feeds`` in the types that ``runner`` takes: a narrow graph has a narrow cache."""
    return {name: feeds[name].astype(spec.dtype, copy=False) for name, spec in runner.inputs.items()}


def _added(runner: Runner, name: str, array: Array, feeds: Mapping[str, Array]) -> Array:
    """``array``, the output ``name`` of ``runner``, without what went in: that agrees by itself."""
    past = _PAST + name[len(_PRESENT) :]
    if not name.startswith(_PRESENT) or past not in feeds:
        return array
    axis = token_axis(runner.inputs[past], runner.outputs[name])
    return array if axis is None else np.split(array, [feeds[past].shape[axis]], axis)[1]


def _joined(arrays: Sequence[Array]) -> Array:
    return np.concatenate([array.ravel() for array in arrays])
