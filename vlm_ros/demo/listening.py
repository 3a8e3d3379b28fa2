"""Everything the robot tells, written into a recording."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

from PIL import Image as PillowImage
from rclpy.node import Node
from sensor_msgs.msg import Image
from std_msgs.msg import String

from vlm_ros.core.motion import Pose
from vlm_ros.demo.recording import Doing, Perceived, Recording
from vlm_ros.ros.images import frame_from_image
from vlm_ros.ros.motion import velocity_from_twist
from vlm_ros.ros.percepts import percept_from_msg
from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.stamps import ns_from_stamp
from vlm_ros.sim.score import Score
from vlm_ros_interfaces.msg import EngineStatus, NavigationState, TargetPercept

_JPEG_QUALITY = 92


class Listener:
    """Subscribes ``node`` to the robot's topics; ``on_engine_status`` hears what is built and how far it is."""

    def __init__(self, node: Node, recording: Recording, on_engine_status: Callable[[str, float], None]) -> None:
        self._clock = node.get_clock()
        self._recording = recording
        self._on_engine_status = on_engine_status
        listen = node.create_subscription
        listen(Image, "camera/image_raw", self._on_image, 1)
        listen(TargetPercept, "percept", self._on_percept, 10)
        listen(String, "scene_description", self._on_words, 10)
        listen(NavigationState, "navigation_state", self._on_state, 10)
        listen(String, "sim/score", self._on_score, 10)
        listen(EngineStatus, "engine_status", self._on_status, LATCHED)

    def _on_image(self, message: Image) -> None:
        file = io.BytesIO()
        PillowImage.fromarray(frame_from_image(message).rgb).save(file, "jpeg", quality=_JPEG_QUALITY)
        self._recording.pictures.add(self._recording.now_s, file.getvalue())

    def _on_percept(self, message: TargetPercept) -> None:
        stamp_ns = ns_from_stamp(message.header.stamp)
        age_s = (self._clock.now().nanoseconds - stamp_ns) * 1e-9
        self._recording.percepts.add(self._recording.now_s, Perceived(percept_from_msg(message, stamp_ns), age_s))

    def _on_words(self, message: String) -> None:
        self._recording.words.add(self._recording.now_s, message.data)

    def _on_state(self, message: NavigationState) -> None:
        doing = Doing(
            mode=message.mode,
            target=message.target,
            state=message.state,
            reason=message.reason,
            gate=message.gate_reason,
            velocity=velocity_from_twist(message.command),
        )
        self._recording.doings.add(self._recording.now_s, doing)

    def _on_score(self, message: String) -> None:
        self._recording.scores.add(self._recording.now_s, score_from_text(message.data))

    def _on_status(self, message: EngineStatus) -> None:
        self._on_engine_status(message.message, message.progress)


def score_from_text(text: str) -> Score:
    """The score in the JSON that ``sim_node`` publishes."""
    fields = json.loads(text)
    return Score(**{**fields, "pose": Pose(**fields["pose"])})
