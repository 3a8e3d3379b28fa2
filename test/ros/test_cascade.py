"""Two real models in the inference node: a CLIP that knows colours gates a LLaVA whose answers mean nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from eyes import Eyes
from lifecycle_msgs.msg import Transition
from robot_bench import MODEL, Bench

CLIP = Path(__file__).resolve().parents[1] / "bundles" / "tiny_clip"
GREY = np.full((60, 80, 3), 130, np.uint8)
RED = np.full((60, 80, 3), (200, 40, 40), np.uint8)
ABSENT = "green ball"
SILENCE_S = 0.8


@pytest.fixture
def eyes() -> Iterator[Eyes]:
    """A node that describes only what is new, before a camera that shows a grey wall."""
    with Bench() as bench:
        eyes = Eyes(bench, gate_model=CLIP, gate_percept_silence_s=SILENCE_S, describe_period_s=0.1, describe_tokens=4)
        eyes.camera.picture = GREY
        yield eyes


def test_a_scene_is_described_again_only_when_it_changed(eyes: Eyes) -> None:
    eyes.bench.wait_for(lambda: eyes.figure("held_back") not in ("", "0"))
    described = len(eyes.scenes)
    time.sleep(0.5)
    assert len(eyes.scenes) == described, "nothing changed"
    eyes.camera.picture = RED
    eyes.bench.wait_for(lambda: len(eyes.scenes) > described)


def test_percepts_come_at_the_least_rate_that_the_robot_needs_though_nothing_changes(eyes: Eyes) -> None:
    eyes.look_for(ABSENT)
    eyes.bench.wait_for(lambda: len(eyes.percepts) >= 5)
    gaps_s = np.diff(list(eyes.percepts.times_s))
    assert gaps_s.max() < SILENCE_S + 0.6


def test_configuring_is_refused_when_the_gate_is_no_model_that_compares() -> None:
    with Bench() as bench:
        bench.start_node("inference_node", model=MODEL, threads=1, gate_model=MODEL)
        assert not bench.change("inference_node", Transition.TRANSITION_CONFIGURE)
