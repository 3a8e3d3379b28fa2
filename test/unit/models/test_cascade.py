"""When a small model lets the large one be asked: new pictures, likely targets, and never silent for long."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rooms import room

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.core.percept import Bearing, PathAhead, Percept, Range, unreadable, unseen
from vlm_ros.models.cascade import Cascade, CascadeConfig
from vlm_ros.models.clip import ClipModel
from vlm_ros.models.loading import load_model

BUNDLE = Bundle(Path(__file__).parents[2] / "bundles" / "tiny_clip")
TARGET = "red ball"


@pytest.fixture(scope="module")
def clip() -> Iterator[ClipModel]:
    model = load_model(BUNDLE, threads=1)
    assert isinstance(model, ClipModel)
    yield model
    model.close()


class Gate:
    """A cascade on a clock that stands still until told."""

    def __init__(self, clip: ClipModel) -> None:
        self.now_s = 10.0
        self.cascade = Cascade(lambda: clip, BUNDLE.card, CascadeConfig, lambda: self.now_s)

    def told(self, frame: Frame, percept: Percept | None = None) -> None:
        self.cascade.told(frame, percept or unseen(TARGET, 0))


@pytest.fixture
def gate(clip: ClipModel) -> Gate:
    return Gate(clip)


def test_first_picture_is_asked_about(gate: Gate) -> None:
    assert gate.cascade.wants_percept(room(), TARGET)
    assert gate.cascade.wants_description(room())


def test_same_picture_is_held_back_until_the_silence_is_long(gate: Gate) -> None:
    gate.told(room())
    assert not gate.cascade.wants_percept(room(), TARGET)
    gate.now_s += 0.49
    assert not gate.cascade.wants_percept(room(), TARGET)
    gate.now_s += 0.02
    assert gate.cascade.wants_percept(room(), TARGET)


def test_new_picture_is_asked_about(gate: Gate) -> None:
    gate.told(room())
    assert gate.cascade.wants_percept(room("blue", radius=0.4), TARGET)


def test_likely_target_is_asked_about_though_the_picture_is_the_same(gate: Gate) -> None:
    frame = room("red", radius=0.4)
    gate.told(frame)
    assert gate.cascade.wants_percept(frame, TARGET)


def test_every_picture_is_asked_about_when_the_target_is_in_view_or_the_last_answer_was_none(gate: Gate) -> None:
    seen = Percept(TARGET, True, Bearing.LEFT, Range.FAR, PathAhead.CLEAR, 1.0, 0)
    for percept in (seen, unreadable(TARGET, 0), unseen("blue ball", 0)):
        gate.told(room(), percept)
        assert gate.cascade.wants_percept(room(), TARGET)


def test_every_picture_is_asked_about_when_only_the_path_matters(gate: Gate) -> None:
    gate.told(room(), unseen("", 0))
    assert gate.cascade.wants_percept(room(), "")


def test_every_picture_is_asked_about_when_the_small_model_does_not_know_the_target(gate: Gate) -> None:
    gate.told(room(), unseen("purple box", 0))
    assert gate.cascade.wants_percept(room(), "purple box")


def test_scene_is_described_again_when_it_changed_or_after_a_long_silence(gate: Gate) -> None:
    gate.cascade.described(room())
    assert not gate.cascade.wants_description(room())
    assert gate.cascade.wants_description(room("green", radius=0.4))
    gate.now_s += 60.0
    assert gate.cascade.wants_description(room())


def test_silence_cannot_be_set_longer_than_the_robot_may_drive_on_one_answer() -> None:
    from vlm_ros.core.config import settings_of
    from vlm_ros.navigation.gate import GateConfig

    longest = settings_of(CascadeConfig)["gate_percept_silence_s"].high
    assert longest is not None and longest < GateConfig().max_percept_age_s
