"""LLaVA-OneVision: a picture small, and again in tiles at the resolution that suits it, line by line."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import BadBundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.picture_model import Look, PictureModel, SeenPicture
from vlm_ros.runtime.runner import Array, Runner
from vlm_ros.vision.anyres import AnyResolution

_LINE_END = "image_newline"
_SHRUNK_FROM = 1.1
"""How many times as wide as the limit features must be before the reference shrinks them."""


def assemble(bundle: Bundle, runners: Mapping[str, Runner]) -> LlavaOnevisionModel:
    """The model of ``bundle``, from active runners of its parts."""
    return LlavaOnevisionModel(bundle, runners)


class LlavaOnevisionModel(PictureModel):
    """A loaded model; ``runners`` holds the active runners of its parts.

    Bundles on the hub leave out what ends a line of tiles: of these only the small picture is looked at.
    """

    def __init__(self, bundle: Bundle, runners: Mapping[str, Runner], *, clock: Clock = monotonic_s) -> None:
        super().__init__(bundle, runners, clock=clock)
        self._preprocess = AnyResolution(bundle.image_processor)
        side = self._preprocess.side_px
        self._line_end = self.vision.constant(_LINE_END, {"pixel_values": np.zeros((1, 3, side, side), np.float32)})
        self._most_tiles = 0 if self._line_end is None else _most_tiles(bundle)

    def look(self, frame: Frame) -> Look:
        """The features of the small picture, then those of the large one without its border."""
        if self._line_end is None:
            overview = {"pixel_values": self._preprocess.overview(frame.rgb)}
            return Look([overview], lambda features: self._seen(features[0]))
        tiles, grid = self._preprocess(frame.rgb)
        count, size = len(tiles), frame.rgb.shape[:2]

        def read(features: Sequence[Array]) -> SeenPicture:
            by_tile = features[0].reshape(count, -1, features[0].shape[-1])
            return self._seen(np.concatenate([by_tile[0], self._in_lines(by_tile[1:], grid, size)]))

        return Look([{"pixel_values": tiles}], read)

    def _seen(self, features: Array) -> SeenPicture:
        return SeenPicture([self.image_id] * len(features), features)

    def _in_lines(self, tiles: Array, grid: tuple[int, int], size: tuple[int, ...]) -> Array:
        """The features of ``tiles`` (tiles, tokens, width), line by line with what ends one, as (any, width)."""
        lines = self._limited(_without_border(_joined(tiles, grid), *size), tiles.shape[1])
        ends = np.broadcast_to(np.asarray(self._line_end), (len(lines), 1, lines.shape[-1]))
        return np.concatenate([lines, ends], axis=1).reshape(-1, lines.shape[-1])

    def _limited(self, lines: Array, tokens_per_tile: int) -> Array:
        """``lines`` (rows, columns, width), made smaller where they are many more than the model was made for."""
        rows, columns = lines.shape[:2]
        ratio = math.sqrt(rows * columns / (self._most_tiles * tokens_per_tile))
        if ratio <= _SHRUNK_FROM:
            return lines
        return _shrunk(_shrunk(lines, int(rows // ratio), 0), int(columns // ratio), 1)


def _most_tiles(bundle: Bundle) -> int:
    """After how many tiles' features a picture's are made fewer; transformers knows no model without a limit either."""
    found = bundle.config.get("vision_aspect_ratio", "anyres_max_9")
    count = str(found).rpartition("_")[2]
    if not count.isdecimal() or int(count) < 1:
        raise BadBundle(
            f"config.json of '{bundle.folder}' has 'vision_aspect_ratio': {found!r}, expected 'anyres_max_N', N being "
            "the most tiles that are read in full: set it, the published models have anyres_max_9"
        )
    return int(count)


def _joined(tiles: Array, grid: tuple[int, int]) -> Array:
    """The features of ``tiles`` (tiles, tokens, width) side by side, as (rows, columns, width)."""
    side = math.isqrt(tiles.shape[1])
    apart = tiles.reshape(*grid, side, side, -1)
    return apart.transpose(0, 2, 1, 3, 4).reshape(grid[0] * side, grid[1] * side, -1)


def _without_border(lines: Array, height: int, width: int) -> Array:
    """``lines`` without the rows or columns in which a picture of ``height`` by ``width`` does not lie."""
    rows, columns = lines.shape[:2]
    if width / height > columns / rows:
        border = (rows - int(round(height * (columns / width), 7))) // 2
        return lines[border : rows - border]
    border = (columns - int(round(width * (rows / height), 7))) // 2
    return lines[:, border : columns - border]


def _shrunk(lines: Array, length: int, axis: int) -> Array:
    """``lines`` with ``length`` rows or columns, each between the two nearest, as torch interpolates."""
    last = lines.shape[axis] - 1
    places = np.maximum((np.arange(length) + 0.5) * ((last + 1) / length) - 0.5, 0.0)
    lower = np.minimum(places.astype(np.intp), last)
    share = (places - lower).astype(lines.dtype).reshape([-1 if each == axis else 1 for each in range(3)])
    upper = np.take(lines, np.minimum(lower + 1, last), axis)
    return np.take(lines, lower, axis) * (1 - share) + upper * share
