"""The demo's own ROS node: it listens to the robot, and asks it for things as a user would."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from PIL import Image as PillowImage
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import Image
from std_msgs.msg import String

from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.errors import NodeFailed
from vlm_ros.core.motion import Pose
from vlm_ros.demo.recording import Doing, Perceived, Recording
from vlm_ros.ros.images import frame_from_image
from vlm_ros.ros.motion import velocity_from_twist
from vlm_ros.ros.percepts import percept_from_msg
from vlm_ros.ros.qos import LATCHED
from vlm_ros.ros.stamps import ns_from_stamp
from vlm_ros.sim.score import Score
from vlm_ros_interfaces.msg import EngineStatus, NavigationState, TargetPercept
from vlm_ros_interfaces.srv import SetMode, SetTarget

Tick = Callable[[], None]
"""Called again and again while something is waited for; may raise to end the waiting."""

_START_S = 60.0
_ANSWER_S = 5.0
_TRIES = 3
_JPEG_QUALITY = 92


class Station:
    """Use with ``with``. What arrives goes into ``recording``, in a thread of its own."""

    def __init__(self, recording: Recording, on_engine_status: Callable[[str, float], None], tick: Tick) -> None:
        self._recording = recording
        self._on_engine_status = on_engine_status
        self._tick = tick
        self._clients: dict[str, Any] = {}

    def __enter__(self) -> Station:
        self._context = rclpy.Context()
        self._context.init()
        self._node = rclpy.create_node("demo", context=self._context)
        self._listen()
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._leaving = threading.Event()
        self._thread = threading.Thread(target=self._spin, name="station", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._leaving.set()
        self._thread.join()
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()

    def bring_up(self, name: str) -> None:
        """Configure and activate a managed node."""
        self._change(name, Transition.TRANSITION_CONFIGURE, "inactive")
        self._change(name, Transition.TRANSITION_ACTIVATE, "active")

    def set_target(self, target: str, mode: str) -> None:
        """Tell the robot what to look for or to follow."""
        response = self._call(SetTarget, "set_target", SetTarget.Request(target=target, mode=mode))
        if not response.accepted:
            raise NodeFailed(f"the robot refused the target '{target}': {response.message}")

    def set_mode(self, mode: str) -> None:
        """Tell the robot how to drive."""
        response = self._call(SetMode, "set_mode", SetMode.Request(mode=mode))
        if not response.accepted:
            raise NodeFailed(f"the robot refused the mode '{mode}': {response.message}")

    def wait_for(self, condition: Callable[[], Any], timeout_s: float, what: str) -> None:
        """Wait until ``condition`` is true; ``NodeFailed`` naming ``what`` did not come."""
        if not self._happens(condition, timeout_s):
            raise NodeFailed(f"{what} did not come within {timeout_s:g} s: the logs beside the pictures may say why")

    def _change(self, name: str, transition: int, goal: str) -> None:
        request = ChangeState.Request(transition=Transition(id=transition))
        if self._call(ChangeState, f"{name}/change_state", request, _START_S).success:
            return
        state = self._call(GetState, f"{name}/get_state", GetState.Request()).current_state.label
        if state != goal:  # asked twice, a node refuses what it has already done
            raise NodeFailed(f"{name} is {state} and cannot become {goal}: its log says why")

    def _call(self, kind: Any, service: str, request: Any, timeout_s: float = _ANSWER_S) -> Any:
        """The response of a service that may still have to start.

        Asks again where there is no response: a server that has not discovered its new client yet drops it.
        """
        client = self._clients.get(service) or self._node.create_client(kind, service)
        self._clients[service] = client
        self.wait_for(client.service_is_ready, _START_S, f"the service '{service}'")
        for _ in range(_TRIES):
            future = client.call_async(request)
            if self._happens(future.done, timeout_s):
                return future.result()
        raise NodeFailed(f"'{service}' does not answer: the logs beside the pictures may say why")

    def _happens(self, condition: Callable[[], Any], timeout_s: float) -> bool:
        end_s = monotonic_s() + timeout_s
        while not condition():
            if monotonic_s() > end_s:
                return False
            self._tick()
        return True

    def _spin(self) -> None:
        while not self._leaving.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def _listen(self) -> None:
        listen = self._node.create_subscription
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
        age_s = (self._node.get_clock().now().nanoseconds - stamp_ns) * 1e-9
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
