"""What stands above a picture of a whole drive: the task, how it ended, and the figures."""

from __future__ import annotations

from PIL import ImageDraw

from vlm_ros.demo.drawing.style import BAD, FAINT, GOOD, INK, MARGIN_PX, font, shortened
from vlm_ros.demo.judging import Result

HEADING_PX = 92


def write_heading(draw: ImageDraw.ImageDraw, result: Result, width_px: int) -> None:
    """Two lines at the top of a page, ``HEADING_PX`` high together."""
    face, verdict_face = font(30, bold=True), font(24, bold=True)
    verdict = verdict_text(result)
    left, right = MARGIN_PX, width_px - MARGIN_PX
    room = right - left - verdict_face.getlength(verdict) - MARGIN_PX
    draw.text((left, 34), shortened(title_text(result), face, room), fill=INK, font=face, anchor="lm")
    draw.text((right, 34), verdict, fill=GOOD if result.success else BAD, font=verdict_face, anchor="rm")
    draw.text((left, 70), result_text(result), fill=FAINT, font=font(18), anchor="lm")


def title_text(result: Result) -> str:
    """What the robot was told to do."""
    if not result.target:
        return "Explore the room"
    return f"{'Follow' if result.mode == 'follow' else 'Find'} the {result.target}"


def verdict_text(result: Result) -> str:
    """Whether the truth calls it a success, and the robot's own last state."""
    last = result.outcome.replace("_", " ")
    return f"{'success' if result.success else 'no success'}: the robot ends with “{last}”"


def result_text(result: Result) -> str:
    """The figures of a drive on one line."""
    spl = "" if result.spl is None else f"SPL {result.spl:.2f}"
    seen = f"{result.floor_seen:.0%} of the floor seen" if result.spl is None else ""
    bumps = "1 collision" if result.collisions == 1 else f"{result.collisions} collisions"
    figures = [f"{result.time_s:.1f} s", f"{result.distance_m:.2f} m driven", spl, seen, bumps]
    return "   ·   ".join(filter(None, [*figures, f"{result.decisions} decisions", f"room {result.seed}"]))
