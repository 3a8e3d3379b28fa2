"""The LLaVA family: image features stand in the prompt where the image token is."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.families import family_named
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.preprocessing import Preprocessor

LLAVA_PARTS = family_named("llava").parts


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> LlavaModel:
    """The model of ``bundle``, from active runners of ``LLAVA_PARTS``."""
    return LlavaModel(bundle, runners)


class LlavaModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of ``LLAVA_PARTS``."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = Preprocessor.from_json(bundle.image_processor)

    def look(self, frame: Frame) -> Look:
        """One feature for each patch of the picture, however the encoder batches them."""
        pixels = self._preprocess(frame.rgb)
        mask = np.ones((len(pixels), *pixels.shape[2:]), np.bool_)
        sizes = np.array([frame.rgb.shape[:2]], np.int64)
        view = {"pixel_values": pixels, "pixel_attention_mask": mask, "image_sizes": sizes}
        return Look([view], lambda features: SeenPicture([self.image_id] * len(features[0]), features[0]))
