"""Velocities, odometry and laser scans to messages and back (REP 103 on both sides)."""

from __future__ import annotations

import math

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Quaternion, Twist, TwistStamped
from nav_msgs.msg import Odometry as OdometryMsg
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header

from vlm_ros.core.motion import Odometry, Pose, Scan, Velocity

_SMALLEST_NORM = 1e-3


def twist_from_velocity(velocity: Velocity) -> Twist:
    """A plain velocity message."""
    twist = Twist()
    twist.linear.x = float(velocity.linear_mps)
    twist.angular.z = float(velocity.angular_radps)
    return twist


def stamped_twist_from_velocity(velocity: Velocity, stamp: Time, frame_id: str) -> TwistStamped:
    """A velocity message with the time of the command and the frame it is given in."""
    return TwistStamped(header=Header(stamp=stamp, frame_id=frame_id), twist=twist_from_velocity(velocity))


def velocity_from_twist(twist: Twist) -> Velocity:
    """What a differential-drive base does of a velocity message."""
    return Velocity(twist.linear.x, twist.angular.z)


def odometry_from_msg(message: OdometryMsg, stamp_s: float) -> Odometry:
    """Pose and velocity in ``message``, dated ``stamp_s`` on the receiver's clock; ``ValueError`` where it has none."""
    position, turned = message.pose.pose.position, message.pose.pose.orientation
    pose = Pose(position.x, position.y, yaw_from_quaternion(turned))
    return Odometry(pose, velocity_from_twist(message.twist.twist), stamp_s)


def msg_from_odometry(odometry: Odometry, header: Header, child_frame_id: str) -> OdometryMsg:
    """The message about ``odometry``; ``header`` names the odometry frame and the time."""
    message = OdometryMsg(header=header, child_frame_id=child_frame_id)
    message.pose.pose.position.x = float(odometry.pose.x_m)
    message.pose.pose.position.y = float(odometry.pose.y_m)
    message.pose.pose.orientation = quaternion_from_yaw(odometry.pose.yaw_rad)
    message.twist.twist = twist_from_velocity(odometry.velocity)
    return message


def scan_from_msg(message: LaserScan, stamp_s: float, yaw_rad: float = 0.0) -> Scan:
    """The scan in ``message``, dated ``stamp_s`` on the receiver's clock and turned into the robot's frame.

    ``yaw_rad`` is where the laser looks in the robot's frame, counter-clockwise from straight ahead.
    """
    return Scan(
        ranges_m=np.asarray(message.ranges, dtype=np.float32),
        angle_min_rad=message.angle_min + yaw_rad,
        angle_step_rad=message.angle_increment,
        range_min_m=message.range_min,
        range_max_m=message.range_max,
        stamp_s=stamp_s,
    )


def msg_from_scan(scan: Scan, header: Header) -> LaserScan:
    """The message about ``scan``; ``header`` names the laser's frame and the time."""
    return LaserScan(
        header=header,
        angle_min=scan.angle_min_rad,
        angle_max=scan.angle_min_rad + scan.angle_step_rad * (len(scan.ranges_m) - 1),
        angle_increment=scan.angle_step_rad,
        range_min=scan.range_min_m,
        range_max=scan.range_max_m,
        ranges=scan.ranges_m.tolist(),
    )


def yaw_from_quaternion(turned: Quaternion) -> float:
    """Rotation about z in radians, in -pi..pi, whatever the quaternion's norm; ``ValueError`` where it is 0 or none."""
    w, x, y, z = turned.w, turned.x, turned.y, turned.z
    norm = math.hypot(w, x, y, z)
    if not _SMALLEST_NORM < norm < math.inf:
        raise ValueError(f"its orientation (x={x:g}, y={y:g}, z={z:g}, w={w:g}) is no rotation")
    w, x, y, z = w / norm, x / norm, y / norm, z / norm
    return math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))


def quaternion_from_yaw(yaw_rad: float) -> Quaternion:
    """The rotation by ``yaw_rad`` about z."""
    return Quaternion(z=math.sin(0.5 * yaw_rad), w=math.cos(0.5 * yaw_rad))
