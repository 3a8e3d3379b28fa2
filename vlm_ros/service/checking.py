"""The check that new engines must pass, with inputs from the model itself while it answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from vlm_ros.build.check import AnswerCheck
from vlm_ros.build.run_preflight import check_run_memory
from vlm_ros.core.bundle import AUTO, Bundle
from vlm_ros.models.loading import parts_of
from vlm_ros.models.recording import Feeds, sample_feeds


def answer_check(bundle: Bundle, precision: str) -> AnswerCheck:
    """Has engines of ``bundle`` compared with their ONNX graphs on what these are fed at ``precision``.

    ``auto`` is sampled in fp32: inputs fit every precision.
    """
    sampled = "fp32" if precision == AUTO else precision

    def samples() -> Mapping[str, Sequence[Feeds]]:
        precisions = {part: bundle.best_precision(part, sampled) for part in parts_of(bundle)}
        check_run_memory(bundle, {part: (bundle.onnx(part, chosen), chosen) for part, chosen in precisions.items()})
        return sample_feeds(bundle, sampled)

    return AnswerCheck(bundle, samples)
