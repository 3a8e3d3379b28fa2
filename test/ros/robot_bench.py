"""A bench to try nodes on: real processes, real topics, services and actions, and time to wait for them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile

LONG_S = 20.0
"""For what takes a process to start; a test that waits so long in vain fails."""


class Log(list[Any]):
    """All messages of a topic, with the time each arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.times_s: list[float] = []

    def take(self, message: Any) -> None:
        self.times_s.append(time.monotonic())
        self.append(message)

    def since(self, start_s: float) -> list[Any]:
        """What arrived after ``start_s``."""
        return [message for message, at_s in zip(list(self), list(self.times_s), strict=False) if at_s > start_s]


class Bench:
    """Use with ``with``; ``node`` is the test's own node, spun in a thread."""

    def __enter__(self) -> Bench:
        self._context = rclpy.Context()
        self._context.init()
        self.node = rclpy.create_node("bench", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._leaving = threading.Event()
        self._processes: list[subprocess.Popen[str]] = []
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for process in self._processes:
            process.terminate()  # a killed one leaves shared memory behind, on which the next one waits for seconds
        for process in self._processes:
            process.wait(LONG_S)
        self._leaving.set()
        self._thread.join()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()

    def start(self, code: str, **parameters: Any) -> subprocess.Popen[str]:
        """Run ``code`` in a process of its own, with ROS parameters."""
        arguments = [word for item in parameters.items() for word in ("-p", "{}:={}".format(*item))]
        command = [sys.executable, "-c", code, "--ros-args", *arguments]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        self._processes.append(process)
        return process

    def start_node(self, name: str, **parameters: Any) -> subprocess.Popen[str]:
        """Run one of the package's nodes as ``ros2 run`` does."""
        return self.start(f"from vlm_ros.nodes.{name} import main; raise SystemExit(main())", **parameters)

    def listen(self, kind: type, topic: str, qos: QoSProfile | int = 10) -> Log:
        """All messages of ``topic`` from now on."""
        log = Log()
        self.node.create_subscription(kind, topic, log.take, qos)
        return log

    def call(self, kind: type, service: str, request: Any, timeout_s: float = LONG_S) -> Any:
        """The response of a service that may still have to start."""
        client = self.node.create_client(kind, service)
        try:
            assert client.wait_for_service(timeout_s), f"no service {service}"
            return self.result(client.call_async(request), timeout_s)
        finally:
            self.node.destroy_client(client)

    def send_goal(self, kind: type, action: str, goal: Any, on_feedback: Callable[[Any], None] | None = None) -> Any:
        """The handle of an action's goal."""
        client = ActionClient(self.node, kind, action)
        assert client.wait_for_server(LONG_S), f"no action {action}"
        return self.result(client.send_goal_async(goal, feedback_callback=on_feedback))

    def result(self, future: Any, timeout_s: float = LONG_S) -> Any:
        """What ``future`` ends with."""
        self.wait_for(future.done, timeout_s)
        return future.result()

    def change(self, node: str, transition: int) -> bool:
        """Whether a lifecycle transition succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return bool(self.call(ChangeState, f"{node}/change_state", request).success)

    def state(self, node: str) -> str:
        """A lifecycle node's state."""
        return str(self.call(GetState, f"{node}/get_state", GetState.Request()).current_state.label)

    def bring_up(self, node: str) -> None:
        """Configure and activate."""
        assert self.change(node, Transition.TRANSITION_CONFIGURE), f"{node} does not configure"
        assert self.change(node, Transition.TRANSITION_ACTIVATE), f"{node} does not activate"

    def repeat(self, period_s: float, action: Callable[[], None]) -> Any:
        """Do ``action`` again and again; cancel the timer that is returned to end it."""
        return self.node.create_timer(period_s, action)

    @staticmethod
    def wait_for(condition: Callable[[], Any], timeout_s: float = LONG_S) -> Any:
        """The first true value of ``condition``; fails after ``timeout_s``."""
        end_s = time.monotonic() + timeout_s
        while not (value := condition()):
            assert time.monotonic() < end_s, "waited in vain"
            time.sleep(0.01)
        return value

    @staticmethod
    def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        process.send_signal(number)
        return process.wait(LONG_S)

    def _spin(self) -> None:
        while not self._leaving.is_set():
            self._executor.spin_once(timeout_sec=0.1)
