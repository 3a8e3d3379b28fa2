"""A run seen from above."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

from vlm_ros.evaluation.metrics import EpisodeResult
from vlm_ros.sim.footprint import Footprint
from vlm_ros.sim.robot import ROBOT_RADIUS_M
from vlm_ros.sim.scene import Rgb, Scene

_PX_PER_M = 80.0
_MARGIN_M = 0.3
_TITLE_PX = 40
_PAPER, _INK, _WALL = (250, 250, 247), (40, 40, 40), (120, 120, 120)
_WAY, _START, _TOUCH = (30, 90, 200), (30, 160, 90), (210, 40, 40)

Point = tuple[float, float]


def picture_of_run(scene: Scene, result: EpisodeResult) -> Image.Image:
    """Room, objects in their colours, the way driven, the target under a star, and the result as title."""
    plan = _Plan(scene)
    for wall in scene.walls:
        plan.fill(wall.footprint, _WALL)
    for thing in scene.objects:
        plan.fill(thing.footprint, _rgb(thing.rgb))
    if scene.target_object is not None:
        plan.star(scene.target_object.x_m, scene.target_object.y_m)
    plan.way([(pose.x_m, pose.y_m) for pose in result.track])
    plan.robot(result.track[0].x_m, result.track[0].y_m, result.track[0].yaw_rad, _START)
    last = result.track[-1]
    plan.robot(last.x_m, last.y_m, last.yaw_rad, _TOUCH if result.collisions else _WAY)
    plan.title(_title(result))
    return plan.image


def _title(result: EpisodeResult) -> str:
    said = "" if result.outcome is None else f", said {result.outcome.value.replace('_', ' ')}"
    verdict = "success" if result.success else "wrong stop" if result.wrong_stop else "failure"
    figures = ", ".join(f"{name.replace('_', ' ')} {value:.2f}" for name, value in result.figures.items())
    return (
        f"{result.seed}  {result.task} {result.target}{said}: {verdict}\n"
        f"{result.time_s:.1f} s, {result.way_m:.2f} m, touched {result.collisions}x, {figures}"
    )


class _Plan:
    """Floor coordinates on paper: x to the right, y up."""

    def __init__(self, scene: Scene) -> None:
        low_x, low_y, high_x, high_y = scene.bounds_m
        self._left_m, self._top_m = low_x - _MARGIN_M, high_y + _MARGIN_M
        width = round((high_x - low_x + 2 * _MARGIN_M) * _PX_PER_M)
        height = round((high_y - low_y + 2 * _MARGIN_M) * _PX_PER_M) + _TITLE_PX
        self.image = Image.new("RGB", (width, height), _PAPER)
        self._draw = ImageDraw.Draw(self.image)

    def fill(self, footprint: Footprint, color: tuple[int, int, int]) -> None:
        """Cover a footprint."""
        if footprint.radius_m > 0.0:
            self._disc(footprint.x_m, footprint.y_m, footprint.radius_m, color)
            return
        cos, sin = math.cos(footprint.yaw_rad), math.sin(footprint.yaw_rad)
        corners = [(a * footprint.half_length_m, b * footprint.half_width_m) for a, b in _CORNERS]
        points = [(footprint.x_m + cos * x - sin * y, footprint.y_m + sin * x + cos * y) for x, y in corners]
        self._draw.polygon([self._px(*point) for point in points], fill=color, outline=_INK)

    def star(self, x_m: float, y_m: float) -> None:
        """A star with five points."""
        radii = [0.16 if corner % 2 == 0 else 0.065 for corner in range(10)]
        angles = [math.pi / 2 + math.pi / 5 * corner for corner in range(10)]
        points = [
            self._px(x_m + radius * math.cos(angle), y_m + radius * math.sin(angle))
            for radius, angle in zip(radii, angles, strict=True)
        ]
        self._draw.polygon(points, fill=(255, 255, 255), outline=_INK)

    def way(self, points: list[Point]) -> None:
        """The line along which the robot's middle went."""
        self._draw.line([self._px(*point) for point in points], fill=_WAY, width=3, joint="curve")

    def robot(self, x_m: float, y_m: float, yaw_rad: float, color: tuple[int, int, int]) -> None:
        """The robot's outline and where it looks."""
        left, top = self._px(x_m - ROBOT_RADIUS_M, y_m + ROBOT_RADIUS_M)
        right, bottom = self._px(x_m + ROBOT_RADIUS_M, y_m - ROBOT_RADIUS_M)
        self._draw.ellipse((left, top, right, bottom), outline=color, width=3)
        nose = (x_m + ROBOT_RADIUS_M * math.cos(yaw_rad), y_m + ROBOT_RADIUS_M * math.sin(yaw_rad))
        self._draw.line([self._px(x_m, y_m), self._px(*nose)], fill=color, width=3)

    def title(self, text: str) -> None:
        """Two lines at the top."""
        self._draw.text((8, 6), text, fill=_INK)

    def _disc(self, x_m: float, y_m: float, radius_m: float, color: tuple[int, int, int]) -> None:
        left, top = self._px(x_m - radius_m, y_m + radius_m)
        right, bottom = self._px(x_m + radius_m, y_m - radius_m)
        self._draw.ellipse((left, top, right, bottom), fill=color, outline=_INK)

    def _px(self, x_m: float, y_m: float) -> Point:
        return (x_m - self._left_m) * _PX_PER_M, _TITLE_PX + (self._top_m - y_m) * _PX_PER_M


_CORNERS = ((1, 1), (1, -1), (-1, -1), (-1, 1))


def _rgb(rgb: Rgb) -> tuple[int, int, int]:
    red, green, blue = (round(255 * channel) for channel in rgb)
    return red, green, blue
