"""SmolVLM and Idefics3: the picture is cut into tiles, which the prompt names by row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.tiles import TilePreprocessor

_AROUND = "<fake_token_around_image>"
_WHOLE = "<global-img>"


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> SmolVlmModel:
    """The model of ``bundle``, from active runners of its parts."""
    return SmolVlmModel(bundle, runners)


class SmolVlmModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = TilePreprocessor(bundle.image_processor)

    def look(self, frame: Frame) -> Look:
        """The features of all tiles, and the text around them."""
        tiles = self._preprocess(frame.rgb)
        pixels, grid = tiles.pixel_values, (tiles.rows, tiles.columns)
        mask = np.ones((len(pixels), *pixels.shape[2:]), np.bool_)
        count = len(pixels)
        return Look(
            [{"pixel_values": pixels, "pixel_attention_mask": mask}],
            lambda features: SeenPicture(self._tokens(*grid, len(features[0]) // count), features[0]),
        )

    def _tokens(self, rows: int, columns: int, features_per_tile: int) -> Sequence[int]:
        """What the reference processor writes for a picture, as token numbers."""
        tokenizer = self.language.tokenizer
        image = tokenizer.text_of(self.image_id) * features_per_tile
        lines = "".join(
            "".join(f"{_AROUND}<row_{row}_col_{column}>{image}" for column in range(1, columns + 1)) + "\n"
            for row in range(1, rows + 1)
        )
        whole = f"{_AROUND}{_WHOLE}{image}{_AROUND}"
        return tokenizer.encode(f"{lines}\n{whole}" if lines else whole, frame=False)
