"""MiniCPM-V 4.6: an overview of the picture and slices of it, each of its own shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.models.vision_part import View
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.patch_rows import Grid, PatchRows
from vlm_ros.vision.slices import SlicePreprocessor

_TEXTS = {"image": ("<image>", "</image>"), "slice": ("<slice>", "</slice>"), "image_id": ("<image_id>", "</image_id>")}
"""What stands around pictures, where the tokenizer does not say otherwise."""


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> MiniCpmVModel:
    """The model of ``bundle``, from active runners of its parts."""
    content = bundle.image_processor
    numbered = bool(content.get("use_image_id", True))
    return MiniCpmVModel(bundle, runners, SlicePreprocessor(content), numbered=numbered)


class MiniCpmVModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of its parts, ``numbered`` says whether pictures are."""

    def __init__(
        self,
        bundle: Bundle,
        runners: Mapping[str, Runner],
        preprocess: SlicePreprocessor,
        *,
        numbered: bool,
        clock: Clock = monotonic_s,
    ) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = preprocess
        self._numbers_pictures = numbered

    def look(self, frame: Frame) -> Look:
        """The features of the overview and of each slice, and the text around them."""
        picture = self._preprocess(frame.rgb)
        grid, groups = picture.grid, [group for group in (picture.overview, picture.slices) if group is not None]

        def read(features: Sequence[Array]) -> SeenPicture:
            text = self._text(grid, [len(group) for group in features])
            return SeenPicture(self.language.tokenizer.encode(text, frame=False), np.concatenate(features))

        return Look([_view(group) for group in groups], read)

    def _text(self, grid: Grid, features: list[int]) -> str:
        """What the reference processor writes for a picture, and for its slices where it has more than an overview."""
        number = self._around("image_id", "0") if self._numbers_pictures else ""
        overview = number + self._around("image", self._marks(features[0]))
        if len(features) == 1:
            return overview
        rows, columns = grid
        one = self._around("slice", self._marks(features[1] // (rows * columns)))
        return overview + "\n".join([one * columns] * rows)

    def _marks(self, count: int) -> str:
        return self.language.tokenizer.text_of(self.image_id) * count

    def _around(self, what: str, text: str) -> str:
        special_texts = self.language.tokenizer.special_texts
        before, after = (
            special_texts.get(f"{what}_{side}_token", default)
            for side, default in zip(("start", "end"), _TEXTS[what], strict=True)
        )
        return f"{before}{text}{after}"


def _view(slices: PatchRows) -> View:
    return {"pixel_values": slices.pixel_values, "target_sizes": np.array([slices.grid], np.int64)}
