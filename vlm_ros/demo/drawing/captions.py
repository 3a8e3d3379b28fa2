"""What the robot perceives, says and does, in short words."""

from __future__ import annotations

from vlm_ros.core.motion import STANDSTILL
from vlm_ros.core.percept import Percept
from vlm_ros.demo.drawing.style import BAD, FAINT, GOOD, Color
from vlm_ros.demo.recording import Doing


def percept_text(percept: Percept | None) -> str:
    """For example ``red ball: left, far`` or ``no red ball``, and whether the path is clear."""
    if percept is None:
        return "nothing yet"
    if not percept.readable:
        return "unreadable answer"
    path = f"path {percept.path.value}"
    if not percept.target:
        return path
    if percept.bearing is None or percept.range is None:
        return f"no {percept.target} · {path}"
    return f"{percept.target}: {percept.bearing.value}, {percept.range.value} · {path}"


def percept_color(percept: Percept | None) -> Color:
    """Green where the target is seen, red where the answer could not be read."""
    if percept is None or not percept.readable:
        return BAD if percept else FAINT
    return GOOD if percept.visible else FAINT


def doing_text(doing: Doing | None) -> str:
    """The mode, the state in it, and why; where the gate holds the robot, what the gate says."""
    if doing is None:
        return "starting"
    held = doing.gate and doing.velocity == STANDSTILL
    return f"{doing.mode}: {doing.state.replace('_', ' ')} ({doing.gate if held else doing.reason})"


def speed_text(doing: Doing | None) -> str:
    """What is commanded to the wheels."""
    if doing is None:
        return ""
    return f"{doing.velocity.linear_mps:+.2f} m/s   {doing.velocity.angular_radps:+.2f} rad/s"
