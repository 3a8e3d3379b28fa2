"""The drive on one page: the room from above, the way in the colours of its time, and how it ended."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from vlm_ros.demo.drawing.floor import Floor
from vlm_ros.demo.drawing.heading import HEADING_PX, write_heading
from vlm_ros.demo.drawing.plan import Plan, time_color
from vlm_ros.demo.drawing.style import INK, MARGIN_PX, PAPER, ROBOT, TARGET, font
from vlm_ros.demo.judging import Result
from vlm_ros.demo.trail import Trail
from vlm_ros.sim.scene import Scene

_SIDE_PX = 960
_LEGEND_PX = 44
_HEADING_EVERY_M = 0.5
_SMOOTH_S = 0.1
_BAR_PX = 300


def trajectory_picture(scene: Scene, floor: Floor, trail: Trail, result: Result) -> Image.Image:
    """Title and result, the room with the way, and a legend."""
    width, height = _SIDE_PX + 2 * MARGIN_PX, HEADING_PX + _SIDE_PX + _LEGEND_PX + MARGIN_PX
    page = Image.new("RGB", (width, height), PAPER)
    page.paste(_room(scene, floor, trail, result), (MARGIN_PX, HEADING_PX))
    draw = ImageDraw.Draw(page)
    write_heading(draw, result, width)
    _draw_legend(draw, HEADING_PX + _SIDE_PX + (_LEGEND_PX + MARGIN_PX) // 2, result.time_s)
    return page


def _room(scene: Scene, floor: Floor, trail: Trail, result: Result) -> Image.Image:
    plan = Plan(floor, _SIDE_PX)
    end_s = float(trail.time_s[-1])
    smooth = trail.sampled(np.arange(0.0, end_s + _SMOOTH_S, _SMOOTH_S))
    plan.trail(smooth, end_s)
    plan.headings(trail.at(time_s) for time_s in times_along(smooth, _HEADING_EVERY_M))
    start, end = trail.at(0.0), trail.at(end_s)
    plan.robot(start, INK)
    plan.robot(end)
    thing = scene.target_object if result.target else None
    if thing is not None:
        plan.target(thing)
        plan.tag(thing.x_m, thing.y_m, thing.name, 19, TARGET, above=thing.y_m >= end.y_m)
    plan.tag(start.x_m, start.y_m, "start", 19, INK, above=start.y_m >= end.y_m)
    return plan.image


def times_along(trail: Trail, every_m: float) -> list[float]:
    """When the robot had driven each multiple of ``every_m``, but for the last one before the end."""
    driven_m = np.cumsum(np.hypot(np.diff(trail.x_m, prepend=trail.x_m[0]), np.diff(trail.y_m, prepend=trail.y_m[0])))
    marks_m = np.arange(every_m, driven_m[-1] - every_m / 2, every_m)
    return trail.time_s[np.searchsorted(driven_m, marks_m)].tolist()


def _draw_legend(draw: ImageDraw.ImageDraw, middle_px: int, time_s: float) -> None:
    face, x = font(18), float(MARGIN_PX)
    for label, marker in (("start", _dark), ("end", _blue), ("target", _ring), ("heading", _arrow)):
        marker(draw, x + 12, middle_px)
        draw.text((x + 32, middle_px), label, fill=INK, font=face, anchor="lm")
        x += 32 + face.getlength(label) + 28
    right = f"{time_s:.0f} s"
    left_px = MARGIN_PX + _SIDE_PX - face.getlength(right) - 10 - _BAR_PX
    for column in range(_BAR_PX):
        at = left_px + column
        draw.line((at, middle_px - 7, at, middle_px + 7), fill=time_color(column / _BAR_PX))
    draw.text((left_px - 10, middle_px), "time  0 s", fill=INK, font=face, anchor="rm")
    draw.text((left_px + _BAR_PX + 10, middle_px), right, fill=INK, font=face, anchor="lm")


def _dark(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    draw.ellipse((x - 10, y - 10, x + 10, y + 10), fill=INK)


def _blue(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    draw.ellipse((x - 10, y - 10, x + 10, y + 10), fill=ROBOT)


def _ring(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    draw.ellipse((x - 10, y - 10, x + 10, y + 10), outline=TARGET, width=4)


def _arrow(draw: ImageDraw.ImageDraw, x: float, y: float) -> None:
    draw.polygon([(x + 11, y), (x - 8, y - 8), (x - 3, y), (x - 8, y + 8)], fill=PAPER, outline=INK)
