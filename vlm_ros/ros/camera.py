"""The camera's topic, asked for with the quality of service that the camera offers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.exceptions import InvalidTopicNameException
from rclpy.node import Node
from rclpy.validate_topic_name import validate_topic_name
from sensor_msgs.msg import CompressedImage, Image

from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.frame import Frame
from vlm_ros.ros.images import frame_from_compressed, frame_from_image
from vlm_ros.ros.qos import silence_text, subscriber_qos

_SILENCE_S = 5.0
_TYPES: dict[str, type] = {"sensor_msgs/msg/Image": Image, "sensor_msgs/msg/CompressedImage": CompressedImage}

OnPicture = Callable[[Any, Callable[[], Frame]], None]
"""Called with each message and with what makes a frame of it, later and elsewhere, or raises ``BadImage``."""


def resolved_topic(node: Node, topic: str) -> str:
    """The full name of ``topic`` as ``node`` would subscribe to it; ``BadConfig`` where it is no topic's name."""
    try:
        validate_topic_name(topic)
    except InvalidTopicNameException as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise BadConfig(f"no topic can be called {topic[:80]!r} ({reason}): give one as 'camera/image_raw'") from error
    return str(node.resolve_topic_name(topic))


class CameraSubscription:
    """Listens to a camera that may come late, or come back with another quality of service."""

    def __init__(self, node: Node, topic: str, *, compressed: bool, on_picture: OnPicture) -> None:
        self._node = node
        self._topic = resolved_topic(node, topic)
        self._type_name = list(_TYPES)[compressed]
        self._read = frame_from_compressed if compressed else frame_from_image
        self._on_picture = on_picture
        self._heard_s = monotonic_s()
        self._qos = subscriber_qos(self._publishers())
        self._subscription = self._subscribe()

    def refresh(self) -> None:
        """Ask anew where the camera now offers something else; call it about once a second."""
        publishers = self._publishers()
        qos = subscriber_qos(publishers)
        if publishers and (qos.reliability, qos.durability) != (self._qos.reliability, self._qos.durability):
            self._node.destroy_subscription(self._subscription)
            self._qos = qos
            self._subscription = self._subscribe()

    def complaint(self) -> str:
        """Why no picture may have come for five seconds; empty where they come."""
        silence_s = monotonic_s() - self._heard_s
        if silence_s < _SILENCE_S:
            return ""
        reason = silence_text(self._topic, self._type_name, self._qos, self._publishers(), self._other_topics())
        return f"no picture for {silence_s:.0f} s: {reason}"

    def close(self) -> None:
        """Listen no more."""
        self._node.destroy_subscription(self._subscription)

    def _subscribe(self) -> Any:
        return self._node.create_subscription(_TYPES[self._type_name], self._topic, self._on_message, self._qos)

    def _on_message(self, message: Any) -> None:
        self._heard_s = monotonic_s()
        self._on_picture(message, lambda: self._read(message))

    def _publishers(self) -> list[Any]:
        return self._node.get_publishers_info_by_topic(self._topic)

    def _other_topics(self) -> list[str]:
        """Topics here that carry pictures."""
        topics = self._node.get_topic_names_and_types()
        return [name for name, types in topics if name != self._topic and not set(_TYPES).isdisjoint(types)]
