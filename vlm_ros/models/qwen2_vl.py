"""Qwen2-VL and Qwen2.5-VL: pictures of any shape, whose tokens have positions in time, height and width."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.models.picture_room import PictureRoom
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.patches import PatchPreprocessor


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> Qwen2VlModel:
    """The model of ``bundle``, from active runners of its parts."""
    return Qwen2VlModel(bundle, runners)


class Qwen2VlModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = PatchPreprocessor(bundle.image_processor)
        vision = bundle.config.get("vision_config") or {}
        heads = 0 if self.vision.pixels.largest else vision.get("num_heads") or vision.get("num_attention_heads") or 0
        self._room = PictureRoom(heads)  # an engine took the memory of its largest picture when it was loaded
        if not self.decoder.takes_positions_in_rows:
            raise BadBundle(
                f"the decoder of '{bundle.folder}' takes no position_ids of shape (3, batch, sequence): it could not "
                "tell where in the picture a token lies; export it with them"
            )

    def look(self, frame: Frame) -> Look:
        """One feature for each block of patches."""
        patches = self._preprocess(frame.rgb)
        self._room.check(frame.rgb, len(patches.pixel_values))
        grid = np.array([patches.grid], np.int64)
        positions = _positions(*(length // self._preprocess.merge for length in patches.grid[1:]))
        return Look(
            [{"pixel_values": patches.pixel_values, "image_grid_thw": grid}],
            lambda features: SeenPicture([self.image_id] * positions.shape[1], features[0], positions),
        )


def _positions(rows: int, columns: int) -> Array:
    """Time, height and width of each block of a still picture, row by row, of shape (3, rows * columns)."""
    height, width = np.indices((rows, columns)).reshape(2, -1)
    return np.stack([np.zeros_like(height), height, width])
