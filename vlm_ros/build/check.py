"""Whether an engine answers as the ONNX graph that it was made of, asked before the store takes it in."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vlm_ros.build.key import EngineKey
from vlm_ros.build.validation.outputs import compared_outputs, faults_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BuildFailed, NotEnoughMemory

if TYPE_CHECKING:
    from vlm_ros.build.precision.graph import Feeds

_log = logging.getLogger(__name__)
_WAY_OUT = "take another precision (vlm_ros validate tells which do), or runtime onnxruntime"


class AnswerCheck:
    """Compares on ``samples``, by the gate of the bundle's card for the engine's precision.

    ``samples`` are asked for once, when there is a first engine to check: by part, inputs that it meets in use.
    Parts that have none are not checked, none of them where memory does not allow to take any; the log says so.
    What a precision costs against fp32 is for ``vlm_ros validate`` to tell: a board that runs INT4 may have no
    room for fp32.
    """

    def __init__(self, bundle: Bundle, samples: Callable[[], Mapping[str, Sequence[Feeds]]]) -> None:
        self._bundle = bundle
        self._take_samples = samples

    def __call__(self, key: EngineKey, onnx: Path, engine: Path) -> None:
        """``BuildFailed`` where the engine does not keep its gate; it says by how much."""
        samples = self._samples.get(key.part)
        if not samples:
            _log.warning("the engine of '%s' is not compared with its ONNX graph", key.part)
            return
        try:
            outputs, tokens = compared_outputs(onnx, engine, samples)
        except (BuildFailed, ValueError, KeyError) as error:
            raise BuildFailed(
                f"the engine of '{key.part}' for {key.runtime} does not run ({error}): {_WAY_OUT}"
            ) from error
        faults = faults_of(outputs, tokens, self._bundle.card.gate(key.precision))
        if faults:
            raise BuildFailed(
                f"the engine of '{key.part}' for {key.runtime} does not answer as '{onnx.name}' does, and is not used: "
                f"{'; '.join(faults)}. {_WAY_OUT.capitalize()}"
            )

    @cached_property
    def _samples(self) -> Mapping[str, Sequence[Feeds]]:
        try:
            return self._take_samples()
        except NotEnoughMemory as error:
            _log.warning("%s", error)
            return {}
