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
