"""ROS parameters from a frozen dataclass of settings: declared, described, checked, and changed live."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar, get_type_hints

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter

from vlm_ros.core.config import Setting, changed, checked, settings_of
from vlm_ros.core.errors import BadConfig

C = TypeVar("C")
_LARGEST_INT = 2**63 - 1


class NodeParameters(Generic[C]):
    """The parameters of one node, as one checked value that is replaced as a whole.

    While ``locked`` (the node is configured) only settings marked live may change; every other
    change is refused with the reason, which ``ros2 param set`` shows.
    ``take`` is told of every change while locked, before it is in force, and may refuse it with ``BadConfig``.
    Raises ``BadConfig`` where the parameters the node was started with are not acceptable.
    """

    def __init__(self, node: Node, defaults: C, take: Callable[[C], None]) -> None:
        self.locked = False
        self._take = take
        self._config: C = _declared(node, defaults)
        node.add_on_set_parameters_callback(self._on_set)

    @property
    def config(self) -> C:
        """The values in force; take it once where several fields must fit together."""
        return self._config

    def lock(self) -> C:
        """Fix the settings that are not live, and return them all: what a node does before it is built from them."""
        self.locked = True
        return self._config

    def _on_set(self, parameters: Iterable[Parameter]) -> SetParametersResult:
        known = settings_of(self._config)
        changes = {parameter.name: parameter.value for parameter in parameters if parameter.name in known}
        try:
            config = changed(self._config, changes, live_only=self.locked)
            if self.locked:
                self._take(config)
        except BadConfig as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._config = config
        return SetParametersResult(successful=True)


def descriptor_from_setting(fact: Setting, kind: type) -> ParameterDescriptor:
    """What ``ros2 param describe`` shows of a setting of type ``kind``."""
    descriptor = ParameterDescriptor(description=fact.describe())
    if fact.low is None and fact.high is None:
        return descriptor
    if kind is float:
        low, high = _bounds(fact, sys.float_info.max)
        descriptor.floating_point_range = [FloatingPointRange(from_value=float(low), to_value=float(high))]
    elif kind is int:
        low, high = _bounds(fact, _LARGEST_INT)
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    return descriptor


def _declared(node: Node, defaults: C) -> C:
    """Declare every field; the values the node was started with win over the defaults."""
    types = get_type_hints(type(defaults))
    values: dict[str, Any] = {}
    for name, fact in settings_of(defaults).items():
        descriptor = descriptor_from_setting(fact, types[name])
        try:
            values[name] = node.declare_parameter(name, getattr(defaults, name), descriptor).value
        except InvalidParameterTypeException as error:
            raise BadConfig(f"{error}; {fact.describe()}. A float needs its point: write 1.0, not 1") from error
        except InvalidParameterValueException as error:
            raise BadConfig(f"{error}; {fact.describe()}") from error
    return checked(dataclasses.replace(defaults, **values))  # type: ignore[type-var]


def _bounds(fact: Setting, largest: float) -> tuple[float, float]:
    return (-largest if fact.low is None else fact.low), (largest if fact.high is None else fact.high)
