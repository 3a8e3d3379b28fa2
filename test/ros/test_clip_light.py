"""A CLIP alone in the inference node: it finds what it was taught, and is not asked to speak."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from eyes import Eyes
from robot_bench import Bench

CLIP = Path(__file__).resolve().parents[1] / "bundles" / "tiny_clip"


def test_a_target_is_found_on_its_side_and_nothing_is_described() -> None:
    wall = np.full((60, 80, 3), 130, np.uint8)
    wall[20:50, 2:25] = (200, 40, 40)
    with Bench() as bench:
        eyes = Eyes(bench, model=CLIP, describe_period_s=0.1)
        eyes.camera.picture = wall
        eyes.look_for("red ball")
        bench.wait_for(lambda: any(percept.visible for percept in eyes.percepts))
        percept = next(percept for percept in eyes.percepts if percept.visible)
        assert (percept.bearing, percept.path, percept.readable) == ("left", "unknown", True)
        eyes.look_for("blue ball")
        bench.wait_for(lambda: eyes.percepts[-1].target == "blue ball")
        assert eyes.percepts[-1].readable and not eyes.percepts[-1].visible
        eyes.look_for("purple teapot")  # words that nobody taught it
        bench.wait_for(lambda: eyes.percepts[-1].target == "purple teapot")
        assert not eyes.percepts[-1].readable
        answer = eyes.ask(question="a photo of a {} ball", choices=["red", "green"])
        assert answer.answer == "red"
        assert "does not speak" in eyes.ask(question="what is this?").message
        assert not eyes.scenes
