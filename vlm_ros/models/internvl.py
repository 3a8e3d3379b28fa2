"""InternVL: the picture in tiles, and small after them, one behind the other between two marks."""

from __future__ import annotations

from collections.abc import Mapping

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.stretched import StretchedTiles

_TEXTS = {"start_image_token": "<img>", "end_image_token": "</img>"}
"""What stands around a picture, where the tokenizer does not say otherwise."""


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> InternVlModel:
    """The model of ``bundle``, from active runners of its parts."""
    return InternVlModel(bundle, runners)


class InternVlModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = StretchedTiles(bundle.image_processor)
        tokenizer = self.language.tokenizer
        self._start, self._end = (
            tokenizer.encode(tokenizer.special_texts.get(name, text), frame=False) for name, text in _TEXTS.items()
        )

    def look(self, frame: Frame) -> Look:
        """The features of all tiles, between the marks."""
        return Look(
            [{"pixel_values": self._preprocess(frame.rgb)}],
            lambda features: SeenPicture([*self._start, *[self.image_id] * len(features[0]), *self._end], features[0]),
        )
