"""What a node says of its own health, once a second on ``/diagnostics``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.node import Node
from std_msgs.msg import Header

from vlm_ros.ros.timers import create_steady_timer

_PERIOD_S = 1.0


class Level(Enum):
    """How a node is doing."""

    OK = DiagnosticStatus.OK
    WARN = DiagnosticStatus.WARN
    ERROR = DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Health:
    """One line for a human, and figures."""

    level: Level
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


def diagnostics_from_health(health: Health, name: str, stamp: Time) -> DiagnosticArray:
    """The message for one node; floats are written with four digits."""
    values = [KeyValue(key=key, value=_text(value)) for key, value in health.values.items()]
    status = DiagnosticStatus(level=health.level.value, name=name, message=health.message, values=values)
    return DiagnosticArray(header=Header(stamp=stamp), status=[status])


def publish_health(node: Node, health: Callable[[], Health]) -> None:
    """Publish what ``health`` says, once a second, as long as the node lives."""
    publisher = node.create_publisher(DiagnosticArray, "/diagnostics", 10)

    def publish() -> None:
        stamp = node.get_clock().now().to_msg()
        publisher.publish(diagnostics_from_health(health(), node.get_fully_qualified_name(), stamp))

    create_steady_timer(node, _PERIOD_S, publish)


def _text(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
