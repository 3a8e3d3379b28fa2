"""A floor plan that is drawn on: x to the right, y up."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from vlm_ros.core.motion import Pose
from vlm_ros.evaluation.coverage import CELL_M, Coverage
from vlm_ros.sim.footprint import Footprint
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import Scene

Color = tuple[int, int, int]
Point = tuple[float, float]

PAPER: Color = (250, 250, 247)
INK: Color = (40, 40, 40)
WALL: Color = (120, 120, 120)
_FLOOR, _SEEN = (214, 214, 208), (226, 240, 222)
_MARGIN_M = 0.15
_FINER = 3
"""Drawn so many times as large, then averaged: Pillow's own lines have steps."""


class Plan:
    """The rectangle of ``scene`` with a margin, as large as fits a square of ``size_px``, and a title above it."""

    def __init__(self, scene: Scene, size_px: int, title_px: int) -> None:
        low_x, low_y, high_x, high_y = scene.bounds_m
        self._left_m, self._top_m = low_x - _MARGIN_M, high_y + _MARGIN_M
        self._px_per_m = _FINER * size_px / (max(high_x - low_x, high_y - low_y) + 2 * _MARGIN_M)
        self._title_px = _FINER * title_px
        height_px = round((high_y - low_y + 2 * _MARGIN_M) * self._px_per_m) + self._title_px
        self._image = Image.new("RGB", (_FINER * size_px, height_px), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    @property
    def image(self) -> Image.Image:
        """What is drawn, in the size asked for."""
        return self._image.reduce(_FINER)

    def floor(self, coverage: Coverage) -> None:
        """The free floor, paler where it was seen."""
        colors = np.where(coverage.seen[..., None], _SEEN, np.where(coverage.free[..., None], _FLOOR, PAPER))
        self._paste(colors.astype(np.uint8)[::-1], coverage.corner_m)

    def fill(self, footprint: Footprint, color: Color) -> None:
        """Cover a footprint."""
        if footprint.radius_m > 0.0:
            self._disc((footprint.x_m, footprint.y_m), footprint.radius_m, fill=color, outline=INK, width=_FINER)
            return
        corners_px = [self._px(*corner_m) for corner_m in footprint.corners_m.tolist()]
        self._draw.polygon(corners_px, fill=color, outline=INK, width=_FINER)

    def star(self, at: Point) -> None:
        """A star with five points."""
        radii = [0.16 if corner % 2 == 0 else 0.065 for corner in range(10)]
        angles = [math.pi / 2 + math.pi / 5 * corner for corner in range(10)]
        points = [
            self._px(at[0] + radius * math.cos(angle), at[1] + radius * math.sin(angle))
            for radius, angle in zip(radii, angles, strict=True)
        ]
        self._draw.polygon(points, fill=(255, 255, 255), outline=INK, width=_FINER)

    def way(self, points: Iterable[Point], color: Color, width_m: float = 0.05) -> None:
        """The line along which something's middle went."""
        pixels = [self._px(*point) for point in points]
        self._draw.line(pixels, fill=color, width=round(width_m * self._px_per_m), joint="curve")

    def robot(self, pose: Pose, color: Color) -> None:
        """The robot's outline and where it looks."""
        width = round(0.035 * self._px_per_m)
        self._disc((pose.x_m, pose.y_m), ROBOT_RADIUS_M, fill=PAPER, outline=color, width=width)
        nose_x = pose.x_m + ROBOT_RADIUS_M * math.cos(pose.yaw_rad)
        nose_y = pose.y_m + ROBOT_RADIUS_M * math.sin(pose.yaw_rad)
        self._draw.line([self._px(pose.x_m, pose.y_m), self._px(nose_x, nose_y)], fill=color, width=width)

    def cross(self, at: Point, color: Color) -> None:
        """An X, for where something was touched."""
        (x, y), reach = self._px(*at), 0.12 * self._px_per_m
        for side in (-1, 1):
            ends = [(x - reach, y - side * reach), (x + reach, y + side * reach)]
            self._draw.line(ends, fill=color, width=round(0.06 * self._px_per_m))

    def label(self, at: Point, text: str, color: Color) -> None:
        """A small text about a point, on paper, within the plan."""
        font = _font(9)
        left, top, right, bottom = self._draw.textbbox((0, 0), text, font=font)
        x, y = self._px(*at)
        x = min(max(x - (right - left) / 2, 0), self._image.width - (right - left))
        y = min(max(y - (bottom - top) / 2, self._title_px), self._image.height - (bottom - top))
        self._draw.rectangle((x - _FINER, y - _FINER, x + right - left + _FINER, y + bottom - top + _FINER), fill=PAPER)
        self._draw.text((x - left, y - top), text, fill=color, font=font)

    def title(self, lines: Sequence[tuple[str, Color]]) -> None:
        """Lettering at the top, a line each."""
        for number, (text, color) in enumerate(lines):
            self._draw.text((_FINER * 8, _FINER * (5 + 18 * number)), text, fill=color, font=_font(12))

    def _paste(self, colors: NDArray[np.uint8], corner_m: Point) -> None:
        height, width = colors.shape[:2]
        scale = CELL_M * self._px_per_m
        left, bottom = self._px(corner_m[0] - CELL_M / 2, corner_m[1] - CELL_M / 2)
        size = round(width * scale), round(height * scale)
        self._image.paste(Image.fromarray(colors).resize(size), (round(left), round(bottom) - size[1]))

    def _disc(self, at: Point, radius_m: float, *, fill: Color, outline: Color, width: int) -> None:
        (x, y), radius = self._px(*at), radius_m * self._px_per_m
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(box, fill=fill, outline=outline, width=width)

    def _px(self, x_m: float, y_m: float) -> Point:
        return (x_m - self._left_m) * self._px_per_m, self._title_px + (self._top_m - y_m) * self._px_per_m


def _font(size_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FINER * size_px)
