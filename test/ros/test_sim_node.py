"""The simulated robot as a process: senses out, commands in, and a watchdog of its own."""

from __future__ import annotations

import json
import time
from typing import Any

import numpy as np
import pytest
from geometry_msgs.msg import Twist
from nav_msgs.msg import Odometry
from robot_bench import Bench
from sensor_msgs.msg import CameraInfo, Image, LaserScan
from std_msgs.msg import String
from std_srvs.srv import Trigger

from vlm_ros.ros.images import frame_from_image


@pytest.fixture
def room(bench: Bench) -> dict[str, Any]:
    """What the simulated robot senses."""
    bench.start_node("sim_node", seed=100_007, target="'red ball'")
    return {
        "pictures": bench.listen(Image, "camera/image_raw"),
        "infos": bench.listen(CameraInfo, "camera/camera_info"),
        "odometry": bench.listen(Odometry, "odom"),
        "scans": bench.listen(LaserScan, "scan"),
        "scores": bench.listen(String, "sim/score"),
    }


def test_it_senses_and_moves_as_told_and_stands_when_commands_stop(bench: Bench, room: dict[str, Any]) -> None:
    bench.wait_for(lambda: all(room.values()))
    frame = frame_from_image(room["pictures"][-1])
    assert frame.rgb.shape == (room["infos"][-1].height, room["infos"][-1].width, 3)
    assert frame.frame_id == room["infos"][-1].header.frame_id
    assert np.std(frame.rgb) > 5
    assert len(room["scans"][-1].ranges) == 180

    publisher = bench.node.create_publisher(Twist, "cmd_vel", 1)
    command = Twist()
    command.angular.z = 0.8
    timer = bench.repeat(0.05, lambda: publisher.publish(command))
    bench.wait_for(lambda: room["odometry"][-1].twist.twist.angular.z > 0.6)
    timer.cancel()
    bench.wait_for(lambda: abs(room["odometry"][-1].twist.twist.angular.z) < 0.05, 1.5)

    score = json.loads(room["scores"][-1].data)
    assert score["target"] == "red ball"
    assert score["shortest_m"] > 0.0
    assert score["collisions"] == 0


def test_it_goes_back_to_its_start_when_reset(bench: Bench, room: dict[str, Any]) -> None:
    bench.wait_for(lambda: room["odometry"])
    start = room["odometry"][0].pose.pose.position
    publisher = bench.node.create_publisher(Twist, "cmd_vel", 1)
    command = Twist()
    command.linear.x = 0.3
    timer = bench.repeat(0.05, lambda: publisher.publish(command))
    bench.wait_for(lambda: abs(room["odometry"][-1].pose.pose.position.x - start.x) > 0.05)
    timer.cancel()
    time.sleep(0.7)
    assert bench.call(Trigger, "sim_node/reset", Trigger.Request()).success
    bench.wait_for(lambda: abs(room["odometry"][-1].pose.pose.position.x - start.x) < 0.01)
