"""Timers that go on when simulated time stands still."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.clock import Clock, ClockType
from rclpy.node import Node
from rclpy.timer import Timer


def create_steady_timer(node: Node, period_s: float, callback: Callable[[], None]) -> Timer:
    """A timer on the machine's steady clock: a paused simulation must not pause a standstill."""
    return node.create_timer(period_s, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
