"""What stays of a drive: pictures, a film and the result, in one folder."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
from PIL import Image

from vlm_ros.core.errors import MissingLibrary
from vlm_ros.demo.display import Display
from vlm_ros.demo.drawing.film import FILM_PX, Film
from vlm_ros.demo.drawing.floor import Floor
from vlm_ros.demo.drawing.heading import title_text
from vlm_ros.demo.drawing.sheet import contact_sheet
from vlm_ros.demo.drawing.trajectory import trajectory_picture
from vlm_ros.demo.judging import Result
from vlm_ros.demo.recording import Moment, Recording
from vlm_ros.demo.trail import Trail
from vlm_ros.demo.video import FRAMES_PER_S, write_video
from vlm_ros.sim.scene import Scene

_SHEET_PICTURES = 16


def write_keepsakes(
    out: Path, scene: Scene, floor: Floor, recording: Recording, trail: Trail, result: Result, display: Display
) -> None:
    """``trajectory.png``, ``contact_sheet.png``, ``demo.mp4`` and ``result.json`` under ``out``."""
    (out / "result.json").write_text(json.dumps(asdict(result), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    display.stage("drawing the pictures", 0.0)
    display.refresh()
    trajectory_picture(scene, floor, trail, result).save(out / "trajectory.png")
    contact_sheet(result, moments_of_speech(recording, _SHEET_PICTURES)).save(out / "contact_sheet.png")
    film = Film(title_text(result), floor, scene.target_object if result.target else None, trail)
    try:
        write_video(out / "demo.mp4", _frames(film, recording, trail, display), FILM_PX)
    except (MissingLibrary, OSError) as error:
        display.stage(f"no film: {error}", 1.0)
        display.refresh()


def moments_of_speech(recording: Recording, most: int) -> list[Moment]:
    """Up to ``most`` moments at which the robot had just said something, and the one at which it ended."""
    spoken_s = [time_s for time_s, _ in recording.words if time_s < recording.end_s]
    places = np.unique(np.linspace(0, len(spoken_s) - 1, most - 1).round().astype(int)).tolist() if spoken_s else []
    return [recording.moment(time_s) for time_s in [*(spoken_s[place] for place in places), recording.end_s]]


def _frames(film: Film, recording: Recording, trail: Trail, display: Display) -> Iterator[Image.Image]:
    end_s = float(trail.time_s[-1])
    for time_s in np.arange(0.0, end_s, 1.0 / FRAMES_PER_S):
        display.stage("writing the film", float(time_s) / end_s)
        display.refresh()
        yield film.frame(recording.moment(float(time_s)))
