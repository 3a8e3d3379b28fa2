"""Drawing on the floor: trails, robots and the target, with smooth edges."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from PIL import Image, ImageDraw

from vlm_ros.core.motion import Pose
from vlm_ros.demo.drawing.floor import Floor
from vlm_ros.demo.drawing.style import INK, ROBOT, TARGET, WHITE, Color, write_tag
from vlm_ros.demo.trail import Trail
from vlm_ros.sim.scene import SceneObject

_FINER = 2
"""Drawn so many times as large, then averaged: Pillow's own lines have steps."""
_ARROW = [(1.2, 0.0), (-0.8, 0.75), (-0.35, 0.0), (-0.8, -0.75)]
"""An arrow head that points along x, about two units long."""
_TIME_COLORS = np.array([(52, 72, 190), (30, 150, 200), (40, 176, 120), (238, 170, 40), (216, 52, 44)])


def time_color(share: float) -> Color:
    """The colour of a moment: blue at the start (0), red at the end (1)."""
    stops = np.linspace(0.0, 1.0, len(_TIME_COLORS))
    red, green, blue = (int(np.interp(share, stops, channel)) for channel in _TIME_COLORS.T)
    return red, green, blue


class Plan:
    """A picture of the floor, ``size_px`` to a side, that is drawn on."""

    def __init__(self, floor: Floor, size_px: int) -> None:
        self._floor = floor
        self._scale = _FINER * size_px / floor.image.width
        self._image = floor.image.resize((_FINER * size_px,) * 2, Image.Resampling.BICUBIC)
        self._draw = ImageDraw.Draw(self._image)

    def copy(self) -> Plan:
        """The same so far, to be drawn on separately."""
        twin = Plan.__new__(Plan)
        twin._floor, twin._scale, twin._image = self._floor, self._scale, self._image.copy()
        twin._draw = ImageDraw.Draw(twin._image)
        return twin

    @property
    def image(self) -> Image.Image:
        """What is drawn, in the size asked for."""
        return self._image.reduce(_FINER)

    def trail(self, trail: Trail, whole_s: float, *, edged: bool = True) -> None:
        """The way, coloured by its time out of ``whole_s``, on a white edge unless it is drawn piece by piece."""
        columns, rows = self._pixels(trail.x_m, trail.y_m)
        points = list(zip(columns.tolist(), rows.tolist(), strict=True))
        if len(points) < 2:
            return
        width = self._robot_px * 0.42
        if edged:
            self._line(points, WHITE, width + 0.16 * self._robot_px)
        for time_s, before, after in zip(trail.time_s[1:], points, points[1:]):  # noqa: B905 - pairs of neighbours
            self._line([before, after], time_color(float(time_s) / whole_s), width)

    def headings(self, poses: Iterable[Pose]) -> None:
        """Arrow heads on the trail."""
        size = 0.5 * self._robot_px
        for pose in poses:
            self._draw.polygon(self._turned(pose, _ARROW, size), fill=WHITE, outline=INK)

    def robot(self, pose: Pose, color: Color = ROBOT) -> None:
        """A disc of the robot's size, with a nose."""
        x, y = self._point(pose.x_m, pose.y_m)
        radius, edge = self._robot_px, max(2, round(0.16 * self._robot_px))
        self._disc(x, y, radius, fill=color, outline=WHITE, width=edge)
        self._draw.polygon(self._turned(pose, _ARROW, 0.68 * radius), fill=WHITE)

    def target(self, thing: SceneObject) -> None:
        """A ring around the thing that is looked for."""
        x, y = self._point(thing.x_m, thing.y_m)
        half_m = thing.radius_m * (math.sqrt(2) if thing.shape == "box" else 1.0)
        radius = self._point(thing.x_m + half_m, thing.y_m)[0] - x + 0.35 * self._robot_px
        edge = round(0.2 * self._robot_px)
        self._disc(x, y, radius + edge, fill=None, outline=WHITE, width=2 * edge)
        self._disc(x, y, radius + 0.5 * edge, fill=None, outline=TARGET, width=edge)

    def tag(self, x_m: float, y_m: float, text: str, size_px: int, color: Color, *, above: bool) -> None:
        """Lettering above or below a point, kept inside the picture."""
        size = size_px * _FINER
        x, y = self._point(x_m, y_m)
        y += (-1 if above else 1) * (1.9 * self._robot_px + 0.5 * size)
        reach = 0.36 * size * len(text) + size
        side = self._image.width
        middle = min(max(x, reach), side - reach), min(max(y, size), side - size)
        write_tag(self._draw, middle, text, size, color)

    @property
    def _robot_px(self) -> float:
        return self._floor.robot_px * self._scale

    def _line(self, points: list[tuple[float, float]], color: Color, width: float) -> None:
        self._draw.line(points, fill=color, width=round(width), joint="curve")
        for x, y in (points[0], points[-1]):
            self._disc(x, y, width / 2, fill=color)

    def _disc(
        self, x: float, y: float, radius: float, *, fill: Color | None, outline: Color | None = None, width: int = 1
    ) -> None:
        box = (x - radius, y - radius, x + radius, y + radius)
        self._draw.ellipse(box, fill=fill, outline=outline, width=width)

    def _turned(self, pose: Pose, corners: list[tuple[float, float]], size: float) -> list[tuple[float, float]]:
        x, y = self._point(pose.x_m, pose.y_m)
        cos, sin = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
        return [(x + size * (cos * a - sin * b), y - size * (sin * a + cos * b)) for a, b in corners]

    def _point(self, x_m: float, y_m: float) -> tuple[float, float]:
        column, row = self._pixels(x_m, y_m)
        return float(column), float(row)

    def _pixels(self, x_m: object, y_m: object) -> tuple[np.ndarray, np.ndarray]:
        column, row = self._floor.pixel_of(x_m, y_m)
        return np.asarray(column) * self._scale, np.asarray(row) * self._scale
