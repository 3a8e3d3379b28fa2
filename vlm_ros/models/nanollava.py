"""nanoLLaVA and FastVLM: LLaVA with a Qwen2 and a SigLIP or a FastViTHD, from before transformers knew such pairs.

Their configuration is flat, ``<image>`` need not be a token of its own, and pictures may be made square first. Which of
the two a bundle holds, nothing here asks: the folder says how large pictures are, what they are put on, and which
token and template mark them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.models.llava import LlavaModel
from vlm_ros.models.picture_model import Look
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.padding import on_square


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> NanoLlavaModel:
    """The model of ``bundle``, from active runners of its parts."""
    return NanoLlavaModel(bundle, runners)


class NanoLlavaModel(LlavaModel):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._makes_square = bundle.config.get("image_aspect_ratio") == "pad"
        self._border = [int(255 * mean) for mean in bundle.image_processor.get("image_mean", [0.5] * 3)]

    def look(self, frame: Frame) -> Look:
        """As LLaVA, of the picture on a square in the mean colour where the configuration says so."""
        if not self._makes_square:
            return super().look(frame)
        return super().look(dataclasses.replace(frame, rgb=on_square(frame.rgb, self._border)))
