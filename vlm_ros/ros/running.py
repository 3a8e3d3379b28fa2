"""One way to run a node: whatever the reason to leave, the robot is left standing and the exit is clean."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections.abc import Callable
from typing import Protocol

import rclpy
from rclpy.action.server import RCLError
from rclpy.exceptions import NameValidationException, ParameterException
from rclpy.executors import Executor, ExternalShutdownException, SingleThreadedExecutor
from rclpy.logging import get_logger
from rclpy.signals import SignalHandlerOptions

from vlm_ros.core.errors import VlmRosError
from vlm_ros.ros.pooled_executor import PooledExecutor

Leave = Callable[[int], None]
"""Asks the process to leave soon with an exit status; from any thread."""

_POLL_S = 0.1
_LONGEST_CALLBACK_S = 5.0
_FAREWELL_S = 0.1
"""For the last results and states to go out."""


class RunnableNode(Protocol):
    """A node that can leave the robot standing."""

    def stop(self) -> None:
        """Leave the robot standing and let go of every waiting caller, now and from any thread."""

    def destroy_node(self) -> None:
        """Free everything."""


def run_node(make_node: Callable[[Leave], RunnableNode], *, threads: int = 1) -> int:
    """Spin a node until a signal, its own ``Leave``, an exception or the death of the parent; the exit status.

    The signals are ours and not rclpy's, because rclpy closes the connection first, and then
    nothing can be published any more, not even a standstill.
    """
    departure = _Departure()
    try:
        rclpy.init(signal_handler_options=SignalHandlerOptions.NO)
    except RuntimeError as error:  # what rclpy's errors about arguments and environment have in common
        return _refused(f"ROS does not start with these arguments and this environment: {error}")
    departure.listen()
    try:
        node = make_node(departure.leave)
    except VlmRosError as error:
        return _refused(str(error))
    except (RCLError, NameValidationException, ParameterException) as error:
        return _refused(f"ROS refuses the node: {error}")
    executor = SingleThreadedExecutor() if threads == 1 else PooledExecutor(threads)
    executor.add_node(node)
    spinner = threading.Thread(target=_spin, args=(executor, departure), name="spin", daemon=True)
    spinner.start()
    departure.wait()
    node.stop()
    time.sleep(_FAREWELL_S)
    departure.over.set()
    spinner.join(_LONGEST_CALLBACK_S)
    executor.shutdown(timeout_sec=_LONGEST_CALLBACK_S)
    node.destroy_node()
    rclpy.try_shutdown()
    return departure.status


def _refused(text: str) -> int:
    """The exit status of a process that does not start, and one line that says why."""
    get_logger("vlm_ros").fatal(" ".join(text.split()))
    rclpy.try_shutdown()
    return 1


class _Departure:
    """Why and with which status the process leaves; ``over`` once the node has said goodbye."""

    def __init__(self) -> None:
        self.status = 0
        self.over = threading.Event()
        self._leaving = threading.Event()
        self._parent = os.getppid()

    def listen(self) -> None:
        """Leave on SIGINT and SIGTERM; a second one ends the process at once."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)

    def leave(self, status: int = 0) -> None:
        """Leave with ``status``; the first failure stays."""
        self.status = self.status or status
        self._leaving.set()

    def wait(self) -> None:
        """Return once there is a reason to leave.

        A terminated ``ros2 launch`` leaves its nodes behind with another parent, so a change of
        parent is a reason. A node started by a service manager keeps its parent.
        """
        while not self._leaving.wait(_POLL_S) and os.getppid() == self._parent:
            pass

    def _on_signal(self, number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        self.leave()


def _spin(executor: Executor, departure: _Departure) -> None:
    try:
        while not departure.over.is_set():
            executor.spin_once(timeout_sec=_POLL_S)
    except ExternalShutdownException:
        departure.leave()
    except Exception:
        get_logger("vlm_ros").fatal(traceback.format_exc())
        departure.leave(1)
