"""Topics that carry pictures, and the quality of service they are offered with."""

from __future__ import annotations

import json

from vlm_ros.diagnosis.finding import Finding, doubtful, fine
from vlm_ros.diagnosis.machine import Machine


def check_cameras(machine: Machine) -> Finding:
    """What is seen of the ROS graph within two seconds."""
    reply = machine.reply("cameras")
    if not machine.reply("rclpy").text:
        return fine("cameras", "unknown without ROS")
    if not reply.text:
        return doubtful("cameras", f"the graph was not seen: {reply.fault}", "ros2 daemon stop && ros2 topic list")
    topics = json.loads(reply.text)
    if not topics:
        return fine("cameras", f"nobody publishes pictures in domain {machine.variable('ROS_DOMAIN_ID') or '0'}")
    return fine("cameras", "; ".join(f"{topic} ({', '.join(facts)})" for topic, *facts in topics))


CHECKS = (check_cameras,)
