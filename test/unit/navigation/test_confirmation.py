"""The second look before the robot says found."""

import math

import pytest
from percepts import nothing, seen

from vlm_ros.core.motion import Pose
from vlm_ros.navigation.confirmation import Confirmation, Verdict
from vlm_ros.navigation.policy import Senses


def verdict_of(answers, lead=4, moved_m=0.0):
    """The verdict once every answer has been given by a robot that always turns to where it should look."""
    confirmation = Confirmation(lead, heading_rad=1.0)
    for number, percept in enumerate(answers):
        pose = turned(confirmation, Pose(0.0, 0.0, 1.0), float(number))
        taken = Pose(moved_m, 0.0, pose.yaw_rad)
        verdict = confirmation.vote(Senses(float(number), pose, percept, 0.1, taken, 0.1))
        if verdict is not Verdict.OPEN:
            return verdict, number + 1
    return Verdict.OPEN, len(answers)


def turned(confirmation, pose, now_s):
    """Where the robot looks after half a second of doing as it is told, and of standing there."""
    for tick in range(10):
        angle_rad = confirmation.aim_rad(Senses(now_s + 0.05 * tick, pose))
        if angle_rad and tick:
            return Pose(pose.x_m, pose.y_m, pose.yaw_rad + angle_rad)
        pose = Pose(pose.x_m, pose.y_m, pose.yaw_rad + angle_rad)
    return pose


def near(at_s):
    return seen("center", "near", at_s=at_s)


def far(at_s):
    return seen("center", "far", at_s=at_s)


def gone(at_s):
    return nothing(at_s=at_s)


@pytest.mark.parametrize(
    ("answers", "verdict", "looks"),
    [
        pytest.param([near] * 9, Verdict.NEAR, 4, id="seen every time"),
        pytest.param([near, near, near, gone, near, near], Verdict.NEAR, 6, id="seen but for a flicker"),
        pytest.param([gone] * 9, Verdict.NOTHING, 4, id="gone"),
        pytest.param([near, gone, gone, gone, gone, gone], Verdict.NOTHING, 6, id="it was a false alarm"),
        pytest.param([far] * 9, Verdict.TOO_FAR, 4, id="there but not near"),
        pytest.param([near, far, near, near], Verdict.NEAR, 4, id="near by majority"),
        pytest.param([near, gone] * 8, Verdict.OPEN, 16, id="undecided as long as it flickers evenly"),
    ],
)
def test_verdict_when(answers, verdict, looks):
    assert verdict_of([answer(float(number)) for number, answer in enumerate(answers)]) == (verdict, looks)


def test_pictures_taken_on_the_move_do_not_count():
    assert verdict_of([near(float(number)) for number in range(9)], moved_m=0.2)[0] is Verdict.OPEN


def test_one_picture_counts_once_however_often_it_is_stepped():
    confirmation, percept = Confirmation(2, 0.0), near(0.0)
    for step in range(10):
        assert confirmation.vote(Senses(0.05 * step, percept=percept)) is Verdict.OPEN


def test_every_picture_is_wanted_from_another_heading():
    confirmation, headings = Confirmation(6, 0.0), []
    for number in range(5):
        pose = turned(confirmation, Pose(0.0, 0.0, 0.0), float(number))
        headings.append(pose.yaw_rad)
        confirmation.vote(Senses(float(number), pose, near(float(number)), 0.1, pose, 0.1))
    degrees = sorted(math.degrees(heading) for heading in headings)
    assert min(after - before for before, after in zip(degrees[:-1], degrees[1:], strict=True)) > 5
    assert max(abs(degree) for degree in degrees) < 30


def test_robot_turns_back_to_where_the_target_was_seen_last():
    confirmation, facing = Confirmation(4, heading_rad=1.0), Pose(0.0, 0.0, 1.0)
    confirmation.vote(Senses(0.0, facing, near(0.0), 0.1, facing, 0.1))
    assert confirmation.back_rad(Senses(0.1, facing)) == 0.0
    assert confirmation.back_rad(Senses(0.1, Pose(0.0, 0.0, 1.3))) == pytest.approx(-0.3)
