"""Out of a corner that has one narrow way out."""

import math

import pytest
from percepts import nothing

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.escape import Escape
from vlm_ros.navigation.policy import Senses
from vlm_ros.navigation.track import arc, composed, wrapped

TICK_S = 0.05
WAY_OUT_RAD = math.radians(100.0)


def escape(seconds, half_width_deg=3.0, answer_every_s=0.2):
    """Wishes and last pose of a robot that does what it is told; answers come one period after their picture."""
    way_out, pose, wishes = Escape(), Pose(0.0, 0.0, 0.0), []
    taken_at = shown_at = pose
    percept, next_s = nothing("blocked"), 0.0
    for tick in range(round(seconds / TICK_S)):
        now_s = tick * TICK_S
        if now_s >= next_s - 1e-9:
            free = abs(wrapped(taken_at.yaw_rad - WAY_OUT_RAD)) < math.radians(half_width_deg)
            percept, shown_at, taken_at = nothing("clear" if free else "blocked", at_s=now_s), taken_at, pose
            next_s += answer_every_s
        wish = way_out.step(Senses(now_s, pose, percept, 0.1, shown_at, 0.1, answer_every_s=answer_every_s))
        wishes.append(wish)
        if wish is not None:
            pose = composed(pose, arc(wish.velocity, TICK_S))
    return wishes, pose


def test_robot_that_has_not_stood_for_long_is_left_alone():
    assert not any(escape(20.0)[0])


def test_robot_finds_the_one_way_out_and_is_then_left_alone():
    wishes, pose = escape(120.0)
    assert math.hypot(pose.x_m, pose.y_m) > 0.3
    assert math.atan2(pose.y_m, pose.x_m) == pytest.approx(WAY_OUT_RAD, abs=math.radians(4))
    assert wishes[-1] is None or any(wish is None for wish in wishes[round(26 / TICK_S) :])


def test_robot_turns_on_until_what_stood_in_the_way_is_well_behind_its_side():
    wishes, pose = escape(60.0, half_width_deg=40.0)
    assert math.hypot(pose.x_m, pose.y_m) > 0.3
    assert math.atan2(pose.y_m, pose.x_m) == pytest.approx(WAY_OUT_RAD - math.radians(15), abs=math.radians(6))
    assert max(wish.velocity.linear_mps for wish in wishes if wish is not None) > 0.1


def test_robot_never_drives_where_every_answer_says_blocked():
    wishes, pose = escape(90.0, half_width_deg=-1.0)
    assert (pose.x_m, pose.y_m) == (0.0, 0.0)
    assert all(wish.velocity.linear_mps == 0.0 for wish in wishes if wish is not None)
