"""The live view on a terminal: what the robot sees, where it is, what it says and does."""

from __future__ import annotations

import time
from dataclasses import replace
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from vlm_ros.demo.drawing.captions import doing_text, percept_text, speed_text
from vlm_ros.demo.drawing.floor import Floor
from vlm_ros.demo.drawing.plan import Plan
from vlm_ros.demo.drawing.sheet import picture_from_jpeg
from vlm_ros.demo.half_blocks import half_blocks
from vlm_ros.demo.recording import Moment, Recording
from vlm_ros.demo.trail import trail_from_recording
from vlm_ros.sim.scene import Scene

_PERIOD_S = 0.25
_PLAN_PX = 192
_PICTURE_PX = (320, 240)
_COARSER = 1.8
"""The robot and its trail are drawn so much larger, to be seen at all."""
_BORDERS = 8
_TEXT_ROWS = 9


class Terminal:
    """A ``Display`` that redraws four times a second."""

    def __init__(self, console: Console, title: str, scene: Scene, floor: Floor) -> None:
        self._console = console
        self._title = title
        self._scene, self._floor = scene, replace(floor, robot_px=_COARSER * floor.robot_px)
        self._stage: tuple[str, float] = ("", 0.0)
        self._recording: Recording | None = None
        self._shown_s = float("-inf")
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> Terminal:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def stage(self, text: str, share: float) -> None:
        """Shown as a bar at the next ``refresh``."""
        self._stage, self._recording = (text, share), None

    def watch(self, recording: Recording) -> None:
        """Show the drive instead of the stage."""
        self._recording = recording

    def refresh(self) -> None:
        """Redraw, if a quarter of a second has passed."""
        if time.monotonic() - self._shown_s < _PERIOD_S:
            return
        self._live.update(self.view, refresh=True)
        self._shown_s = time.monotonic()

    @property
    def view(self) -> RenderableType:
        """What is to be seen now."""
        return self._stage_view() if self._recording is None else self._drive_view(self._recording)

    def _stage_view(self) -> RenderableType:
        text, share = self._stage
        return Panel(Group(Text(text), ProgressBar(total=1.0, completed=share)), title=self._title)

    def _drive_view(self, recording: Recording) -> RenderableType:
        columns = self._columns()
        moment = recording.moment(recording.now_s)
        plan_columns = columns * _PICTURE_PX[1] // _PICTURE_PX[0]
        pictures = Table.grid(padding=(0, 2))
        pictures.add_column(width=columns)
        pictures.add_column(width=plan_columns)
        camera = half_blocks(picture_from_jpeg(moment.jpeg, _PICTURE_PX), columns)
        pictures.add_row(camera, half_blocks(self._plan(recording, moment).image, plan_columns))
        return Panel(Group(pictures, _words(moment)), title=self._title)

    def _columns(self) -> int:
        """Width of the camera's picture: both pictures, side by side and equally high, must fit."""
        share = 1.0 + _PICTURE_PX[1] / _PICTURE_PX[0]
        by_width = (self._console.width - _BORDERS) / share
        by_height = (self._console.height - _TEXT_ROWS) * 2 * _PICTURE_PX[0] / _PICTURE_PX[1]
        return max(16, int(min(by_width, by_height)))

    def _plan(self, recording: Recording, moment: Moment) -> Plan:
        plan = Plan(self._floor, _PLAN_PX)
        if self._scene.target_object is not None:
            plan.target(self._scene.target_object)
        plan.trail(trail_from_recording(recording, self._scene.start), max(1.0, moment.time_s))
        plan.robot(moment.pose or self._scene.start)
        return plan


def _words(moment: Moment) -> Table:
    table = Table.grid(padding=(0, 2))
    seen = moment.percept is not None and moment.percept.visible
    table.add_row(Text("perceives", "dim"), Text(percept_text(moment.percept), "bold green" if seen else "bold"))
    table.add_row(Text("does", "dim"), Text(doing_text(moment.doing)))
    table.add_row(Text("drives", "dim"), Text(f"{speed_text(moment.doing)}   {moment.time_s:.1f} s"))
    table.add_row(Text("says", "dim"), Text(moment.said or "…", "italic"))
    return table
