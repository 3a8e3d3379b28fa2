"""The pictures of the film: what the robot sees, where it is, and what it says and does."""

from __future__ import annotations

from PIL import Image, ImageDraw

from vlm_ros.demo.drawing.captions import doing_text, percept_color, percept_text, speed_text
from vlm_ros.demo.drawing.floor import Floor
from vlm_ros.demo.drawing.plan import Plan
from vlm_ros.demo.drawing.sheet import picture_from_jpeg
from vlm_ros.demo.drawing.style import FAINT, INK, MARGIN_PX, PAPER, Color, font, shortened, wrapped_lines
from vlm_ros.demo.recording import Moment
from vlm_ros.demo.trail import Trail
from vlm_ros.sim.scene import SceneObject

FILM_PX = (1168, 704)
"""Both are multiples of 16, which encoders like."""
_CAMERA_PX, _PLAN_PX = (640, 480), 480
_TOP_PX = 56
_LABEL_PX = 128
_TEXT_PX = _TOP_PX + _CAMERA_PX[1] + 28


class Film:
    """Frames in the order of time; what was driven stays on the floor."""

    def __init__(self, title: str, floor: Floor, target: SceneObject | None, trail: Trail) -> None:
        self._title = title
        self._trail = trail
        self._drawn_s = 0.0
        self._plan = Plan(floor, _PLAN_PX)
        if target is not None:
            self._plan.target(target)

    def frame(self, moment: Moment) -> Image.Image:
        """The frame at ``moment``, which is not before the last one's."""
        page = Image.new("RGB", FILM_PX, PAPER)
        page.paste(picture_from_jpeg(moment.jpeg, _CAMERA_PX), (MARGIN_PX, _TOP_PX))
        page.paste(self._plan_at(moment.time_s), (2 * MARGIN_PX + _CAMERA_PX[0], _TOP_PX))
        draw = ImageDraw.Draw(page)
        self._write_head(draw, moment)
        _write_captions(draw, moment)
        return page

    def _plan_at(self, time_s: float) -> Image.Image:
        if time_s > self._drawn_s:
            self._plan.trail(self._trail.sampled([self._drawn_s, time_s]), float(self._trail.time_s[-1]), edged=False)
            self._drawn_s = time_s
        plan = self._plan.copy()
        plan.robot(self._trail.at(time_s))
        return plan.image

    def _write_head(self, draw: ImageDraw.ImageDraw, moment: Moment) -> None:
        middle = _TOP_PX // 2
        draw.text((MARGIN_PX, middle), self._title, fill=INK, font=font(26, bold=True), anchor="lm")
        right = FILM_PX[0] - MARGIN_PX
        text = f"{speed_text(moment.doing)}      {moment.time_s:5.1f} s"
        draw.text((right, middle), text, fill=FAINT, font=font(20), anchor="rm")


def _write_captions(draw: ImageDraw.ImageDraw, moment: Moment) -> None:
    width = FILM_PX[0] - 2 * MARGIN_PX - _LABEL_PX
    y = _TEXT_PX
    said = wrapped_lines(moment.said or "…", font(22), width, 2)
    rows: list[tuple[str, list[str], bool, Color]] = [
        ("perceives", [percept_text(moment.percept)], True, percept_color(moment.percept)),
        ("does", [shortened(doing_text(moment.doing), font(22), width)], False, INK),
        ("says", said, False, INK),
    ]
    for label, lines, bold, color in rows:
        draw.text((MARGIN_PX, y), label, fill=FAINT, font=font(22), anchor="lm")
        for line in lines:
            draw.text((MARGIN_PX + _LABEL_PX, y), line, fill=color, font=font(22, bold=bold), anchor="lm")
            y += 32
        y += 4
