"""The robot drives, bumps and scans by real physics."""

import math

import numpy as np
import pytest
from sim_rooms import room, thing

from vlm_ros.core.motion import STANDSTILL, Pose, Velocity
from vlm_ros.sim.world import World


def drive(world, velocity, seconds):
    for _ in range(round(seconds / 0.05)):
        world.step(velocity, 0.05)


def test_robot_drives_a_metre_straight_when_told_for_long_enough():
    world = World(room(start=Pose(-2.0, 0.0, 0.0)))
    drive(world, Velocity(0.5, 0.0), 2.0)
    assert world.pose.x_m == pytest.approx(-1.0, abs=0.06)
    assert world.pose.y_m == pytest.approx(0.0, abs=0.005)
    assert world.pose.yaw_rad == pytest.approx(0.0, abs=0.005)
    assert world.velocity.linear_mps == pytest.approx(0.5, abs=0.01)


def test_robot_turns_left_on_the_spot_when_told_a_positive_rate():
    world = World(room())
    drive(world, Velocity(0.0, math.pi / 4), 2.0)
    assert world.pose.yaw_rad == pytest.approx(math.pi / 2, abs=0.06)
    assert math.hypot(world.pose.x_m, world.pose.y_m) < 0.01


def test_robot_stands_still_soon_after_it_is_told_to():
    world = World(room(start=Pose(-2.0, 0.0, 0.0)))
    drive(world, Velocity(0.5, 0.0), 1.0)
    drive(world, STANDSTILL, 0.25)
    before = world.pose
    drive(world, STANDSTILL, 5.0)
    assert abs(world.pose.x_m - before.x_m) < 0.001


def test_bump_is_felt_when_the_robot_drives_into_something():
    world = World(room(thing("red ball", 1.0, 0.0)))
    drive(world, Velocity(0.4, 0.0), 1.0)
    assert not world.touching
    drive(world, Velocity(0.4, 0.0), 2.0)
    assert world.touching
    assert world.pose.x_m == pytest.approx(1.0 - 0.15 - 0.18, abs=0.02)
    drive(world, Velocity(-0.4, 0.0), 0.5)
    assert not world.touching


def test_robot_stays_in_the_room_when_it_pushes_a_wall():
    world = World(room(start=Pose(2.0, 0.0, 0.2)))
    drive(world, Velocity(0.6, 0.0), 5.0)
    assert world.touching
    assert world.pose.x_m < 2.95 - 0.17


def test_odometry_agrees_with_the_truth_when_encoders_are_ideal():
    world = World(room())
    drive(world, Velocity(0.3, 0.6), 5.0)
    reckoned, true = world.odometry().pose, world.pose
    assert math.hypot(reckoned.x_m - true.x_m, reckoned.y_m - true.y_m) < 0.03
    assert reckoned.yaw_rad == pytest.approx(true.yaw_rad, abs=0.05)


def test_odometry_drifts_by_its_seed_when_encoders_are_noisy():
    poses = []
    for seed in (1, 1, 2):
        world = World(room(), encoder_noise=0.1, encoder_seed=seed)
        drive(world, Velocity(0.3, 0.6), 3.0)
        poses.append(world.odometry().pose)
    assert poses[0] == poses[1]
    assert poses[0] != poses[2]


def test_scan_measures_walls_and_objects_where_they_are():
    scan = World(room(thing("red ball", 1.0, 0.0), thing("blue box", 0.0, 1.0), start=Pose(0.0, 0.0, 0.0))).scan()
    ahead, left, behind, right = (
        scan.ranges_m[round((angle - scan.angle_min_rad) / scan.angle_step_rad) % 180]
        for angle in (0.0, math.pi / 2, -math.pi, -math.pi / 2)
    )
    assert (ahead, left, behind, right) == pytest.approx((0.85, 0.85, 2.95, 1.95), abs=0.01)


def test_scan_tells_what_is_too_close_from_what_is_out_of_range():
    world = World(room(thing("red ball", 1.0, 0.0)))
    world.place(Pose(1.0 - 0.15 - 0.03, 0.0, 0.0))
    ranges_m = world.scan().ranges_m
    assert ranges_m[90] == -math.inf
    assert np.isfinite(ranges_m[0])


def test_scan_turns_with_the_robot():
    world = World(room(thing("red ball", 1.0, 0.0)))
    world.place(Pose(0.0, 0.0, math.pi / 2))
    scan = world.scan()
    assert scan.angle_min_rad + np.argmin(scan.ranges_m) * scan.angle_step_rad == pytest.approx(-math.pi / 2, abs=0.04)


def test_motion_is_the_same_when_repeated():
    poses = []
    for _ in range(2):
        world = World(room(thing("red ball", 1.0, 0.1)))
        drive(world, Velocity(0.5, 0.1), 3.0)
        poses.append(world.pose)
    assert poses[0] == poses[1]


def test_robot_is_at_rest_where_it_was_placed():
    world = World(room())
    drive(world, Velocity(0.5, 0.5), 1.0)
    world.place(Pose(1.0, -1.0, 2.0))
    drive(world, STANDSTILL, 1.0)
    assert (world.pose.x_m, world.pose.y_m, world.pose.yaw_rad) == pytest.approx((1.0, -1.0, 2.0), abs=0.002)
    assert world.odometry().pose.x_m == pytest.approx(1.0, abs=0.002)
