"""Warnings that do not repeat themselves."""

from __future__ import annotations

from vlm_ros.core.clock import ManualClock
from vlm_ros.ros.quieting import Quieted


def test_a_text_is_said_once_a_minute_when_it_repeats() -> None:
    said: list[str] = []
    clock = ManualClock()
    quieted = Quieted(said.append, clock)
    for _ in range(1300):
        quieted("bad picture")
        clock.advance(0.1)
    assert said == ["bad picture"] * 3


def test_another_text_is_said_at_once() -> None:
    said: list[str] = []
    quieted = Quieted(said.append, ManualClock())
    quieted("bad picture")
    quieted("worse picture")
    assert said == ["bad picture", "worse picture"]


def test_memory_stays_bounded_when_every_text_is_new() -> None:
    said: list[str] = []
    quieted = Quieted(said.append, ManualClock())
    for number in range(1000):
        quieted(f"picture {number}")
    assert len(said) == 1000
    assert len(quieted._said_s) <= 100
