"""Stamped messages, brought to the steady clock on which the robot is driven."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.subscription import Subscription

from vlm_ros.core.clock import monotonic_s
from vlm_ros.ros.stamps import AgeReader


def subscribe_dated(
    node: Node,
    kind: type,
    topic: str,
    take: Callable[[Any, float], None],
    qos: QoSProfile | int,
    refuse: Callable[[Any, float], None] | None = None,
) -> Subscription:
    """Calls ``take`` with each message and the time of its stamp on ``monotonic_s``.

    With ``refuse``, a message from the future goes there instead, with the seconds that it is ahead.
    """
    ages = age_reader(node, topic)

    def read(message: Any) -> None:
        ahead_s = ages.ahead_s(message.header.stamp)
        if refuse is not None and ahead_s > 0.0:
            refuse(message, ahead_s)
            return
        take(message, monotonic_s() - ages.age_s(message.header.stamp))

    return node.create_subscription(kind, topic, read, qos)


def age_reader(node: Node, topic: str) -> AgeReader:
    """An ``AgeReader`` on the clock of ``node``, which warns in its log."""
    return AgeReader(topic, lambda: node.get_clock().now().nanoseconds, node.get_logger().warning)
