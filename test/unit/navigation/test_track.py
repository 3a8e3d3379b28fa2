"""Where the robot is, with and without odometry."""

import math

import pytest

from vlm_ros.core.motion import STANDSTILL, Odometry, Pose, Velocity
from vlm_ros.navigation.track import Track, composed, seen_in


def odometry(x_m, y_m, yaw_rad, stamp_s):
    return Odometry(Pose(x_m, y_m, yaw_rad), STANDSTILL, stamp_s)


def close(pose, x_m, y_m, yaw_rad, within=1e-6):
    assert (pose.x_m, pose.y_m, pose.yaw_rad) == pytest.approx((x_m, y_m, yaw_rad), abs=within)


def test_track_starts_at_its_own_origin_when_the_odometer_does_not():
    track = Track()
    track.on_odometry(odometry(5.0, 3.0, math.pi / 2, 0.0))
    track.on_odometry(odometry(5.0, 3.2, math.pi / 2, 0.1))
    close(track.pose, 0.2, 0.0, 0.0)


def test_commands_are_integrated_when_there_is_no_odometry():
    track = Track()
    for step in range(100):
        track.on_command(Velocity(0.5, math.pi / 2), step * 0.02, (step + 1) * 0.02)
    radius = 0.5 / (math.pi / 2)
    close(track.pose, 0.0, 2 * radius, math.pi, within=1e-4)


def test_commands_are_ignored_when_odometry_is_fresh():
    track = Track()
    track.on_odometry(odometry(0.0, 0.0, 0.0, 1.0))
    track.on_command(Velocity(1.0, 0.0), 1.0, 1.05)
    close(track.pose, 0.0, 0.0, 0.0)


def test_commands_take_over_without_a_jump_when_odometry_falls_silent():
    track = Track()
    track.on_odometry(odometry(7.0, 0.0, 0.0, 0.0))
    track.on_odometry(odometry(7.1, 0.0, 0.0, 0.1))
    track.on_command(Velocity(1.0, 0.0), 2.0, 2.1)
    close(track.pose, 0.2, 0.0, 0.0)
    track.on_odometry(odometry(90.0, 0.0, 0.0, 2.2))
    track.on_odometry(odometry(90.1, 0.0, 0.0, 2.3))
    close(track.pose, 0.3, 0.0, 0.0)


def test_a_jump_of_the_odometer_is_no_motion():
    track = Track()
    track.on_odometry(odometry(3.0, 0.0, 0.0, 0.0))
    track.on_odometry(odometry(0.0, 0.0, 0.0, 0.1))
    close(track.pose, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_odometry_that_is_no_number_is_ignored(bad):
    track = Track()
    track.on_odometry(odometry(0.0, 0.0, 0.0, 0.0))
    for pose in ((bad, 0.0, 0.0), (0.0, 0.0, bad)):
        track.on_odometry(odometry(*pose, 0.05))
    track.on_odometry(odometry(0.1, 0.0, 0.0, 0.1))
    close(track.pose, 0.1, 0.0, 0.0)


@pytest.mark.parametrize(("stamp_s", "x_m"), [(-1.0, 0.1), (0.15, 0.15), (0.2, 0.2), (0.27, 0.27), (9.0, 0.3)])
def test_past_poses_are_interpolated_and_held_at_both_ends(stamp_s, x_m):
    track = Track()
    for step in range(4):
        track.on_odometry(odometry(0.1 * step, 0.0, 0.0, 0.1 * step))
    close(track.at(stamp_s), x_m, 0.0, 0.0)


def test_past_headings_are_interpolated_the_short_way_round():
    track = Track()
    for step, degrees in enumerate((170, 175, 185)):
        track.on_odometry(odometry(0.0, 0.0, math.radians(degrees), 0.1 * step))
    assert track.at(0.15).yaw_rad == pytest.approx(math.radians(10.0))


def test_composed_undoes_seen_in():
    frame, pose = Pose(1.0, -2.0, 2.5), Pose(-3.0, 0.5, -1.0)
    back = composed(frame, seen_in(frame, pose))
    close(back, pose.x_m, pose.y_m, pose.yaw_rad)


def test_way_since_a_moment_counts_there_and_back():
    track = Track()
    for number in range(41):
        forwards = number <= 20
        velocity = Velocity(0.5 if forwards else -0.5, 0.0)
        track.on_command(velocity, 0.05 * (number - 1), 0.05 * number)
    assert track.driven_since_m(0.0) == pytest.approx(1.0, abs=0.03)
    assert track.driven_since_m(1.0) == pytest.approx(0.5, abs=0.03)
    assert track.driven_since_m(2.0) == 0.0
    assert Track().driven_since_m(0.0) == 0.0


STEP_S = 0.05
TURNING = Velocity(0.3, 1.0)


def true_pose(now_s):
    """Where ``TURNING`` has got the robot."""
    return Pose(0.3 * math.sin(now_s), 0.3 * (1 - math.cos(now_s)), now_s)


def driven(every=1, late_s=0.0, slip=1.0):
    """The track after each step of 3 s of ``TURNING``, with odometry in each ``every``-th step, ``late_s`` old.

    Commands say ``slip`` times what is driven.
    """
    track = Track()
    commanded = Velocity(slip * TURNING.linear_mps, slip * TURNING.angular_radps)
    for number in range(61):
        now_s = number * STEP_S
        stamp_s = now_s - late_s
        if number % every == 0 and stamp_s >= 0.0:
            track.on_odometry(Odometry(true_pose(stamp_s), TURNING, stamp_s))
        track.on_command(commanded, now_s - STEP_S if number else -math.inf, now_s)
        yield now_s, track


def off_by(pose, now_s):
    """Metres and radians between ``pose`` and the true one."""
    off = seen_in(true_pose(now_s), pose)
    return math.hypot(off.x_m, off.y_m), abs(off.yaw_rad)


@pytest.mark.parametrize("every_s", [0.05, 0.1, 0.3, 0.5, 0.55, 0.6, 1.0, 2.5])
def test_no_moment_is_left_out_however_rare_odometry_is(every_s):
    for now_s, track in driven(every=round(every_s / STEP_S)):
        off_m, off_rad = off_by(track.pose, now_s)
        assert off_m < 0.07 and off_rad < 0.21
        since_s = max(0.0, now_s - 1.0)
        assert track.driven_since_m(since_s) == pytest.approx(0.3 * (now_s - since_s), abs=0.08)


@pytest.mark.parametrize("late_s", [0.1, 0.3, 0.6, 1.0, 1.5, 2.5])
def test_no_moment_is_counted_twice_however_late_odometry_is(late_s):
    for now_s, track in driven(late_s=late_s):
        off_m, off_rad = off_by(track.pose, now_s)
        assert off_m < 0.07 and off_rad < 0.21
    for past_s in (0.5, 1.2, 2.0, 2.6):
        off_m, off_rad = off_by(track.at(past_s), past_s)
        assert off_m < 0.03 and off_rad < 0.06  # the track begins at the end of the first step
        assert track.driven_since_m(past_s) == pytest.approx(0.3 * (3.0 - past_s), abs=0.08)


def test_rare_odometry_corrects_what_the_commands_say():
    *_, (now_s, track) = driven(every=20, slip=1.5)
    off_m, off_rad = off_by(track.pose, now_s)
    assert off_m < 1e-6 and off_rad < 1e-6
    assert track.driven_since_m(1.0) == pytest.approx(0.6, abs=0.05)
    assert track.driven_since_m(2.5) == pytest.approx(0.15, abs=0.02)


@pytest.mark.parametrize("origin", [(-2.0, 0.0, 0.0), (0.2, 0.0, 2.5)])
@pytest.mark.parametrize("silence_s", [0.6, 1.5, 5.0])
def test_an_odometer_that_begins_anew_after_a_silence_is_no_motion(origin, silence_s):
    track = Track()
    track.on_odometry(odometry(0.0, 0.0, 0.0, 0.0))
    steps = round(silence_s / STEP_S)
    for number in range(steps):
        track.on_command(Velocity(0.2, 0.0), number * STEP_S, (number + 1) * STEP_S)
    track.on_odometry(odometry(*origin, silence_s))
    close(track.pose, 0.2 * silence_s, 0.0, 0.0)
    track.on_odometry(
        odometry(origin[0] + 0.1 * math.cos(origin[2]), 0.1 * math.sin(origin[2]), origin[2], silence_s + 0.1)
    )
    close(track.pose, 0.2 * silence_s + 0.1, 0.0, 0.0)


def test_stamps_that_go_back_are_no_motion():
    track = Track()
    for step in range(11):
        track.on_odometry(odometry(0.1 * step, 0.0, 0.0, 0.1 * step))
    track.on_odometry(odometry(1.1, 0.0, 0.0, 0.75))
    close(track.pose, 0.75, 0.0, 0.0)
    close(track.at(0.4), 0.4, 0.0, 0.0)
