"""A bench to try nodes on: real processes, real topics, services and actions, and time to wait for them."""

from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import rclpy
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState, GetState
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image

from vlm_ros.ros.images import image_from_rgb

MODEL = Path(__file__).resolve().parents[1] / "bundles" / "tiny_llava"

LONG_S = 20.0
"""For what takes a process to start; a test that waits so long in vain fails."""

ANSWER_S = 5.0
"""For what a running process answers."""

GOALS = {
    Transition.TRANSITION_CONFIGURE: "inactive",
    Transition.TRANSITION_ACTIVATE: "active",
    Transition.TRANSITION_DEACTIVATE: "inactive",
    Transition.TRANSITION_CLEANUP: "unconfigured",
}


class Log(list[Any]):
    """All messages of a topic, with the time each arrived."""

    def __init__(self) -> None:
        super().__init__()
        self.times_s: list[float] = []
        self.subscription: Any = None

    def take(self, message: Any) -> None:
        self.times_s.append(time.monotonic())
        self.append(message)

    def forget(self) -> None:
        """Start anew."""
        self.clear()
        self.times_s.clear()

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
        self._clients: dict[str, Any] = {}
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

    def start(self, code: str, ros_arguments: Sequence[str] = (), **parameters: Any) -> subprocess.Popen[str]:
        """Run ``code`` in a process of its own, with ROS parameters and other arguments for ROS."""
        arguments = [word for item in parameters.items() for word in ("-p", "{}:={}".format(*item))]
        command = [sys.executable, "-c", code, "--ros-args", *ros_arguments, *arguments]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        self._processes.append(process)
        return process

    def start_node(self, name: str, ros_arguments: Sequence[str] = (), **parameters: Any) -> subprocess.Popen[str]:
        """Run one of the package's nodes as ``ros2 run`` does."""
        code = f"from vlm_ros.nodes.{name} import main; raise SystemExit(main())"
        return self.start(code, ros_arguments, **parameters)

    def listen(self, kind: type, topic: str, qos: QoSProfile | int = 10) -> Log:
        """All messages of ``topic`` from now on."""
        log = Log()
        log.subscription = self.node.create_subscription(kind, topic, log.take, qos)
        return log

    def hush(self, log: Log) -> None:
        """Listen no more."""
        self.node.destroy_subscription(log.subscription)

    def call(self, kind: type, service: str, request: Any) -> Any:
        """The response of a service that may still have to start.

        Asks again where there is no response: a server that has not discovered its new client yet drops it.
        """
        client = self._clients.get(service) or self.node.create_client(kind, service)
        self._clients[service] = client
        for _ in range(3):
            assert client.wait_for_service(LONG_S), f"no service {service}"
            future = client.call_async(request)
            if self.happens(future.done, ANSWER_S):
                return future.result()
        raise AssertionError(f"no response from {service}")

    def send_goal(self, kind: type, action: str, goal: Any, on_feedback: Callable[[Any], None] | None = None) -> Any:
        """The handle of an action's goal, sent again where there is no response, as in ``call``."""
        client = self._action_client(kind, action)
        for _ in range(3):
            assert client.wait_for_server(LONG_S), f"no action {action}"
            future = client.send_goal_async(goal, feedback_callback=on_feedback)
            if self.happens(future.done, ANSWER_S):
                return future.result()
        raise AssertionError(f"no response from {action}")

    def achieve(self, kind: type, action: str, goal: Any, is_all: Callable[[Any, Log], Any]) -> tuple[Any, Log]:
        """An action's result and its feedback; the goal is sent again until ``is_all(result, feedback)``.

        A server that has not discovered its new client yet drops feedback too.
        """
        for _ in range(3):
            result, feedback = self._achieve_once(kind, action, goal)
            if self.happens(functools.partial(is_all, result, feedback), ANSWER_S):
                return result, feedback
        raise AssertionError(f"{action} ended with {result} and not all feedback: {feedback}")

    def result(self, future: Any, timeout_s: float = LONG_S) -> Any:
        """What ``future`` ends with."""
        self.wait_for(future.done, timeout_s)
        return future.result()

    def change(self, node: str, transition: int) -> bool:
        """Whether a lifecycle transition succeeded."""
        request = ChangeState.Request(transition=Transition(id=transition))
        return self.call(ChangeState, f"{node}/change_state", request).success or self.state(node) == GOALS[transition]

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
    def happens(condition: Callable[[], Any], timeout_s: float) -> bool:
        """Whether ``condition`` becomes true within ``timeout_s``."""
        end_s = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end_s:
                return False
            time.sleep(0.01)
        return True

    def wait_for(self, condition: Callable[[], Any], timeout_s: float = LONG_S) -> None:
        """Wait until ``condition`` is true; fails after ``timeout_s``."""
        assert self.happens(condition, timeout_s), "waited in vain"

    @staticmethod
    def end(process: subprocess.Popen[str], number: int = signal.SIGTERM) -> int:
        """The exit status after a signal."""
        process.send_signal(number)
        return process.wait(LONG_S)

    def _achieve_once(self, kind: type, action: str, goal: Any) -> tuple[Any, Log]:
        feedback = Log()
        handle = self.send_goal(kind, action, goal, lambda message: feedback.take(message.feedback))
        return self.result(handle.get_result_async()).result, feedback

    def _action_client(self, kind: type, action: str) -> Any:
        """Made in the thread that spins: rclpy's adds itself to its node before it has the lock that spinning takes."""
        making = self._executor.create_task(lambda: ActionClient(self.node, kind, action))
        return self.result(making)

    def _spin(self) -> None:
        while not self._leaving.is_set():
            self._executor.spin_once(timeout_sec=0.1)


class Camera:
    """Publishes pictures at 10 Hz; each is told apart by its stamp."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.publisher = bench.node.create_publisher(Image, "camera/image_raw", 1)
        self.picture = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
        self.lag_s = 0.0
        self.encoding = "rgb8"
        self.stamps: set[tuple[int, int]] = set()
        self.timer = bench.repeat(0.1, self.publish)

    def recover(self) -> None:
        """Be well again."""
        self.lag_s, self.encoding = 0.0, "rgb8"
        self.timer.reset()

    def publish(self) -> None:
        now = self.bench.node.get_clock().now().nanoseconds - int(self.lag_s * 1e9)
        message = image_from_rgb(self.picture, self.bench.node.get_clock().now().to_msg(), "optical")
        message.encoding = self.encoding
        message.header.stamp.sec, message.header.stamp.nanosec = divmod(now, 10**9)
        self.stamps.add((message.header.stamp.sec, message.header.stamp.nanosec))
        self.publisher.publish(message)
