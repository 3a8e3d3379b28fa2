"""The demo's own ROS node: it listens to the robot, and asks it for things as a user would."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.executors import SingleThreadedExecutor

from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.errors import NodeFailed
from vlm_ros.demo.listening import Listener
from vlm_ros.demo.recording import Recording
from vlm_ros_interfaces.srv import SetMode, SetTarget

Tick = Callable[[], None]
"""Called again and again while something is waited for; may raise to end the waiting."""

_START_S = 60.0
_ANSWER_S = 5.0
_TRIES = 3


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
        Listener(self._node, self._recording, self._on_engine_status)
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
