"""LFM2-VL: a picture near its own size, or in tiles and small; its text model has layers of short convolutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.models.vision_part import View
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.native import NativePreprocessor
from vlm_ros.vision.patch_rows import Grid, PatchRows

_TEXTS = {"start": "<|image_start|>", "end": "<|image_end|>", "thumbnail": "<|img_thumbnail|>"}
"""What stands around a picture, where the tokenizer does not say otherwise."""

_MASK = "pixel_attention_mask"


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> Lfm2VlModel:
    """The model of ``bundle``, from active runners of its parts."""
    return Lfm2VlModel(bundle, runners)


class Lfm2VlModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of its parts."""

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = NativePreprocessor(bundle.image_processor)
        settings = bundle.optional_json("processor_config.json")
        self._marks_tiles = bool(settings.get("use_image_special_tokens", True))

    def look(self, frame: Frame) -> Look:
        """The features of each tile and of the whole, and the text around them."""
        picture = self._preprocess(frame.rgb)
        grid, groups = picture.grid, picture.groups

        def read(features: Sequence[Array]) -> SeenPicture:
            text = self._text(grid, [len(group) for group in features])
            return SeenPicture(self.language.tokenizer.encode(text, frame=False), np.concatenate(features))

        return Look([self._view(group) for group in groups], read)

    def _text(self, grid: Grid, features: list[int]) -> str:
        """What the reference processor writes for a picture: each tile behind its row and column, the whole at last."""
        mark = self.language.tokenizer.text_of(self.image_id)
        rows, columns = grid
        parts = [self._special("start")]
        for number in range(rows * columns):
            place = f"<|img_row_{number // columns + 1}_col_{number % columns + 1}|>" if self._marks_tiles else ""
            parts.append(place + mark * (features[0] // (rows * columns)))
        if not rows:
            parts.append(mark * features[0])
        elif len(features) > 1:
            parts.append(self._special("thumbnail") + mark * features[1])
        return "".join([*parts, self._special("end")])

    def _special(self, what: str) -> str:
        """The special token that stands for ``what``; nothing where the processor writes none."""
        special_texts = self.language.tokenizer.special_texts
        return special_texts.get(f"image_{what}_token", _TEXTS[what]) if self._marks_tiles else ""

    def _view(self, tiles: PatchRows) -> View:
        """Filled up to the most patches where the graph takes a mask of them, as its exporter feeds it."""
        pixels = tiles.pixel_values
        count, patches, values = pixels.shape
        shapes = np.array([tiles.grid] * count, np.int64)
        if not self.vision.takes(_MASK):
            return {"pixel_values": pixels, "spatial_shapes": shapes}
        most = max(patches, self._preprocess.most_patches)
        filled = np.zeros((count, most, values), np.float32)
        filled[:, :patches] = pixels
        mask = np.broadcast_to(np.arange(most) < patches, (count, most))
        return {"pixel_values": filled, _MASK: mask, "spatial_shapes": shapes}
