"""SmolVLM and Idefics3: the picture is cut into tiles, which the prompt names by row and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import PictureModel, SeenPicture
from vlm_ros.runtime.runner import Runner
from vlm_ros.vision.tiles import TilePreprocessor, Tiles

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

    def see(self, frame: Frame) -> SeenPicture:
        """The features of all tiles, and the text around them."""
        tiles = self._preprocess(frame.rgb)
        pixels = tiles.pixel_values
        mask = np.ones((len(pixels), *pixels.shape[2:]), np.bool_)
        features = self.vision.features({"pixel_values": pixels, "pixel_attention_mask": mask})
        return SeenPicture(self._tokens(tiles, len(features) // len(pixels)), features)

    def _tokens(self, tiles: Tiles, features_per_tile: int) -> Sequence[int]:
        """What the reference processor writes for a picture, as token numbers."""
        tokenizer = self.language.tokenizer
        image = tokenizer.text_of(self.image_id) * features_per_tile
        rows = "".join(
            "".join(f"{_AROUND}<row_{row}_col_{column}>{image}" for column in range(1, tiles.columns + 1)) + "\n"
            for row in range(1, tiles.rows + 1)
        )
        whole = f"{_AROUND}{_WHOLE}{image}{_AROUND}"
        return tokenizer.encode(f"{rows}\n{whole}" if rows else whole, frame=False)
