"""How far the robot drives without a picture, whatever its odometry says."""

import pytest
from percepts import TICK_S, navigator, seen

from vlm_ros.core.clock import ManualClock
from vlm_ros.core.motion import STANDSTILL, Odometry, Pose
from vlm_ros.navigation.navigator import Mode


@pytest.mark.parametrize("every", [1, 12, 20])
@pytest.mark.parametrize("behind_s", [0.0, 0.6, 1.0])
def test_robot_drives_no_further_than_it_may_without_a_picture_whatever_its_odometry(every, behind_s):
    """Odometry comes in each ``every``-th step, and the clock that dates it is ``behind_s`` behind."""
    robot, clock = navigator(Mode.FOLLOW, max_blind_m=0.5, max_percept_age_s=10.0, max_silence_s=10.0), ManualClock()
    x_m = seen_at_m = 0.0
    for number in range(200):
        if number % every == 0:
            robot.on_odometry(Odometry(Pose(x_m, 0.0, 0.0), STANDSTILL, clock.now_s - behind_s))
        if number <= 60 and number % 2 == 0:
            robot.on_percept(seen("center", at_s=clock.now_s), clock.now_s)
            seen_at_m = x_m
        x_m += robot.step(clock.now_s).velocity.linear_mps * TICK_S
        clock.advance(TICK_S)
    assert 0.3 < x_m - seen_at_m <= 0.5


def rolls(robot, clock, seconds, share, every_s=None, behind_s=0.1, path="clear"):
    """Step on with odometry that tells of a ``share`` of what was driven, ``behind_s`` late; the way, in metres.

    Answers about the target ahead come each ``every_s``; without that, none does.
    """
    ways_m = [0.0]
    for number in range(round(seconds / TICK_S)):
        told_m = share * ways_m[max(0, number - round(behind_s / TICK_S))]
        robot.on_odometry(Odometry(Pose(told_m, 0.0, 0.0), STANDSTILL, clock.now_s - behind_s))
        if every_s and number % round(every_s / TICK_S) == 0:
            robot.on_percept(seen("center", path=path, at_s=clock.now_s), clock.now_s)
        ways_m.append(ways_m[-1] + robot.step(clock.now_s).velocity.linear_mps * TICK_S)
        clock.advance(TICK_S)
    return ways_m[-1]


PATIENT = {"max_percept_age_s": 10.0, "max_silence_s": 10.0}


@pytest.mark.parametrize("max_blind_m", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("share", [0.0, 0.1])
def test_robot_drives_no_further_without_a_picture_when_its_odometry_stands_still(share, max_blind_m):
    robot, clock = navigator(Mode.FOLLOW, max_blind_m=max_blind_m, **PATIENT), ManualClock()
    robot.on_percept(seen("center", at_s=clock.now_s), clock.now_s)
    assert 0.5 * max_blind_m < rolls(robot, clock, 9.0, share) <= max_blind_m + 0.01
    assert "odometry does not follow" in robot.complaint


@pytest.mark.parametrize(
    ("share", "path"), [(1.0, "clear"), (0.5, "clear"), (0.0, "blocked")], ids=["follows", "slips a little", "held"]
)
@pytest.mark.parametrize("behind_s", [0.0, 0.15])
def test_odometry_is_believed_when_it_follows_the_commands_or_none_were_given(share, path, behind_s):
    robot, clock = navigator(Mode.FOLLOW, max_blind_m=1.0, **PATIENT), ManualClock()
    rolls(robot, clock, 10.0, share, every_s=2.5, behind_s=behind_s, path=path)
    assert not robot.complaint


@pytest.mark.parametrize("every_s", [0.2, 2.5])
def test_odometry_that_stands_still_is_told_of_however_often_answers_come(every_s):
    robot = navigator(Mode.FOLLOW, **PATIENT)
    rolls(robot, ManualClock(), 4.0, 0.0, every_s)
    assert robot.complaint


def test_odometry_is_believed_again_when_it_follows_the_commands_again():
    robot, clock = navigator(Mode.FOLLOW, **PATIENT), ManualClock()
    robot.on_percept(seen("center", at_s=clock.now_s), clock.now_s)
    rolls(robot, clock, 5.0, 0.0)
    assert robot.complaint
    robot.begin(Mode.FOLLOW)
    rolls(robot, clock, 3.0, 1.0, every_s=0.2)
    assert not robot.complaint
