"""Hand-made rooms and drives, in which it is plain how they must be judged and drawn."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from vlm_ros.core.clock import ManualClock
from vlm_ros.core.motion import Pose, Velocity
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range
from vlm_ros.demo.drawing.floor import Floor
from vlm_ros.demo.recording import Doing, Perceived, Recording
from vlm_ros.sim.scene import CameraSpec, Lighting, Scene, SceneObject, Surface, Wall
from vlm_ros.sim.score import Score

START = Pose(0.0, 0.0, 0.0)
BALL = SceneObject("red", "ball", (0.8, 0.1, 0.1), 2.0, 0.0, 0.0, 0.2, 0.4)
GREY = Surface("plain", (0.7, 0.7, 0.7), (0.6, 0.6, 0.6), 1.0, 1)
OUTLINE = (Wall(-3, -2, 3, -2), Wall(3, -2, 3, 2), Wall(3, 2, -3, 2), Wall(-3, 2, -3, -2))
ROOM = Scene(0, OUTLINE, GREY, GREY, Lighting((1.0, 1.0, 1.0), (), False), (BALL,), START, CameraSpec(), "red ball")
SEEN = Percept("red ball", True, Bearing.LEFT, Range.FAR, PathAhead.CLEAR, 0.9, 1)
FOUND = Doing("search", "red ball", "found", "the target is near", "", Velocity(0.0, 0.0))
HEARD = Perceived(SEEN, 0.1)
BEFORE_IT = Score(0, "red ball", 10.0, Pose(1.2, 0.0, 0.0), 0.5, True, 0, 1.5, 1.2)


def jpeg(color=(10, 200, 30)):
    file = io.BytesIO()
    Image.new("RGB", (32, 24), color).save(file, "jpeg")
    return file.getvalue()


def drive_of(doing=FOUND, scores=(BEFORE_IT,), seconds_apart=0.5, perceived=(HEARD,)):
    """A drive with the robot in one state, whose scores come one after the other."""
    clock = ManualClock()
    recording = Recording(clock)
    recording.pictures.add(0.0, jpeg())
    recording.doings.add(0.0, doing)
    recording.words.add(0.0, "a red ball on the left, far. the path is clear.")
    for score in scores:
        clock.advance(seconds_apart)
        recording.scores.add(recording.now_s, score)
    for item in perceived:
        recording.percepts.add(recording.now_s, item)
    recording.end_s = recording.now_s
    return recording


def score_at(x_m, y_m=0.0, yaw_rad=0.0, **changes):
    return replace(BEFORE_IT, pose=Pose(x_m, y_m, yaw_rad), **changes)


def paper_floor(size_px=100, pixels_per_m=10.0):
    """A white floor of 10 m by 10 m with the origin in the middle."""

    def pixel_of(x_m, y_m):
        return size_px / 2 + np.asarray(x_m) * pixels_per_m, size_px / 2 - np.asarray(y_m) * pixels_per_m

    return Floor(Image.new("RGB", (size_px, size_px), (255, 255, 255)), pixel_of, 0.18 * pixels_per_m)
