"""The last metre of a command: ``cmd_vel`` in the type the base expects, and a standstill that arrives."""

from __future__ import annotations

import threading
import time

from geometry_msgs.msg import Twist, TwistStamped
from rclpy.duration import Duration
from rclpy.node import Node

from vlm_ros.core.motion import STANDSTILL, Velocity
from vlm_ros.ros.motion import stamped_twist_from_velocity, twist_from_velocity

_TYPES = {False: "geometry_msgs/msg/Twist", True: "geometry_msgs/msg/TwistStamped"}
"""What ``cmd_vel`` carries plain, and stamped."""
_REPEATS = 3
_REPEAT_S = 0.02
_FLUSH_S = 0.2


class CommandPublisher:
    """Publishes velocities while released, and nothing while held; safe from any thread.

    Starts held. ``stamped`` chooses TwistStamped (ROS 2 control, newer bases) over Twist.
    """

    def __init__(self, node: Node, *, stamped: bool, frame_id: str) -> None:
        self._node = node
        self._stamped = stamped
        self._frame_id = frame_id
        self._lock = threading.Lock()
        self._held = True
        self._publisher = node.create_publisher(TwistStamped if stamped else Twist, "cmd_vel", 1)

    def publish(self, velocity: Velocity) -> None:
        """Command ``velocity``; nothing while held."""
        with self._lock:
            if not self._held:
                self._send(velocity)

    def release(self) -> None:
        """Let velocities through from now on."""
        with self._lock:
            self._held = False

    def hold(self) -> None:
        """Stand still: zero, repeated and flushed, because the next thing may be the end of the process.

        Says nothing where it is held already: then ``cmd_vel`` belongs to others.
        """
        with self._lock:
            if self._held:
                return
            self._held = True
            for _ in range(_REPEATS):
                self._send(STANDSTILL)
                time.sleep(_REPEAT_S)
            self._publisher.wait_for_all_acked(Duration(seconds=_FLUSH_S))

    def complaint(self) -> str:
        """What is wrong where all who listen to ``cmd_vel`` expect its other type; empty otherwise."""
        listeners = self._node.get_subscriptions_info_by_topic(self._publisher.topic_name)
        expected = {listener.topic_type for listener in listeners}
        other = _TYPES[not self._stamped]
        if other not in expected or _TYPES[self._stamped] in expected:
            return ""
        remedy = "false" if self._stamped else "true"
        return f"nobody takes our cmd_vel: the base expects {other}, so set 'stamped' to {remedy}"

    def destroy(self) -> None:
        """Close the topic."""
        self._node.destroy_publisher(self._publisher)

    def _send(self, velocity: Velocity) -> None:
        if self._stamped:
            stamp = self._node.get_clock().now().to_msg()
            self._publisher.publish(stamped_twist_from_velocity(velocity, stamp, self._frame_id))
        else:
            self._publisher.publish(twist_from_velocity(velocity))
