"""A watched runner gives what the runner gives, and notes how long it took."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from vlm_ros.benchmark.job import picture
from vlm_ros.benchmark.ours import StepClock
from vlm_ros.benchmark.watching import watched_model
from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.models.loading import load_model

TINY = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_llava")
ENGINES = {part: TINY.onnx(part) for part in TINY.parts}


def test_answer_is_the_same_when_it_is_watched():
    watched, runners = watched_model(TINY, ENGINES, threads=1)
    answers = [model.observe(picture(0)).ask("What?", FreeText(6)).text for model in (watched, load_model(TINY))]
    assert answers[0] == answers[1]
    assert len(runners["vision_encoder"].runs) == 1
    assert [length for length, _ in runners["decoder_model_merged"].runs][2:] == [1] * 5


def test_steps_are_timed_when_the_clock_is_asked_before_each():
    clock = StepClock()
    for _ in range(4):
        assert clock() is False
        time.sleep(0.002)
    assert len(clock.steps_s) == 2
    assert min(clock.steps_s) >= 0.002


def test_picture_is_the_same_everywhere():
    assert (picture(3).rgb == picture(3).rgb).all()
    assert (picture(3).rgb != picture(4).rgb).any()


def test_our_process_brings_neither_torch_nor_transformers():
    code = "import sys, vlm_ros.benchmark.ours; sys.exit(bool({'torch', 'transformers'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], timeout=60).returncode == 0
