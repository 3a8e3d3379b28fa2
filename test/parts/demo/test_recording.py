"""A drive as plain values in the order of time."""

import math

import numpy as np
import pytest
from drives import FOUND, SEEN, START, drive_of, score_at

from vlm_ros.core.clock import ManualClock
from vlm_ros.demo.recording import Recording, Timeline
from vlm_ros.demo.trail import trail_from_recording


def test_a_timeline_gives_the_newest_value_when_asked_for_a_time_between_two():
    timeline = Timeline()
    timeline.add(1.0, "one")
    timeline.add(2.0, "two")
    assert [timeline.at(time_s) for time_s in (0.9, 1.0, 1.9, 2.0, 9.0)] == [None, "one", "one", "two", "two"]
    assert timeline.newest == "two"
    assert list(timeline) == [(1.0, "one"), (2.0, "two")]


def test_a_moment_holds_what_was_known_when_it_was():
    recording = drive_of(scores=(score_at(1.0), score_at(2.0)))
    first, last = recording.moment(0.6), recording.moment(1.0)
    assert first.pose.x_m == 1.0
    assert first.percept is None
    assert last.percept == SEEN
    assert last.doing == FOUND
    assert last.said.startswith("a red ball")


def test_a_recording_is_empty_and_its_time_zero_when_it_begins():
    clock = ManualClock(5.0)
    recording = Recording(clock)
    recording.words.add(0.0, "before")
    clock.advance(3.0)
    recording.begin()
    clock.advance(1.0)
    assert recording.now_s == 1.0
    assert recording.words.newest is None
    assert recording.moment(1.0).said == ""


def test_the_robot_is_between_two_poses_when_the_time_is():
    trail = trail_from_recording(drive_of(scores=(score_at(1.0, yaw_rad=3.0), score_at(2.0, yaw_rad=-3.0))), START)
    pose = trail.at(0.75)
    assert pose.x_m == pytest.approx(1.5)
    assert math.cos(pose.yaw_rad) == pytest.approx(-1.0)
    assert np.abs(np.diff(trail.sampled(np.linspace(0.5, 1.0, 20)).yaw_rad)).max() < 0.1
