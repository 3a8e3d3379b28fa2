"""Settings as frozen dataclasses: one field per ROS parameter, with help, unit, range and whether it may change live.

``ros/parameters.py`` declares them, ``config/*.yaml`` fills them, and both are checked here,
so that a bad value is refused by name wherever it comes from.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

from vlm_ros.core.errors import BadConfig

_KEY = "vlm_ros.setting"
C = TypeVar("C")


@dataclass(frozen=True)
class Setting:
    """What is known of one field: ``low``..``high`` are inclusive, ``choices`` empty means any."""

    help: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[Any, ...] = ()
    live: bool = False

    def describe(self) -> str:
        """The help text with unit and range, as ``ros2 param describe`` shows it."""
        notes = [f"unit: {self.unit}"] if self.unit else []
        if self.low is not None or self.high is not None:
            low = "-inf" if self.low is None else f"{self.low:g}"
            high = "inf" if self.high is None else f"{self.high:g}"
            notes.append(f"range: {low}..{high}")
        if self.choices:
            notes.append("one of: " + ", ".join(map(str, self.choices)))
        notes.append("may change while running" if self.live else "fixed once configured")
        return f"{self.help} ({'; '.join(notes)})"


def setting(default: Any, help: str, **facts: Any) -> Any:
    """A dataclass field with a ``Setting``; ``facts`` are the other fields of ``Setting``."""
    return dataclasses.field(default=default, metadata={_KEY: Setting(help, **facts)})


def settings_of(config: type[Any] | Any) -> dict[str, Setting]:
    """Name to ``Setting`` of a config class or instance, in order of declaration."""
    return {field.name: field.metadata[_KEY] for field in dataclasses.fields(config)}


def checked(config: C) -> C:
    """``config`` itself, or ``BadConfig`` naming the field, its value and what it accepts."""
    types = get_type_hints(type(config))
    for name, fact in settings_of(config).items():
        _check(name, getattr(config, name), types[name], fact)
    return config


def changed(config: C, changes: dict[str, Any], *, live_only: bool) -> C:
    """A checked copy of ``config`` with ``changes``.

    With ``live_only`` another value of a field that is fixed once configured is refused, with the way out.
    """
    facts = settings_of(config)
    for name, value in changes.items():
        if name not in facts:
            raise BadConfig(f"unknown setting '{name}': known are {', '.join(facts)}")
        if live_only and not facts[name].live and value != getattr(config, name):
            raise BadConfig(f"'{name}' is fixed once configured: clean the node up, set it, and configure again")
    return checked(dataclasses.replace(config, **changes))  # type: ignore[type-var]


def _check(name: str, value: Any, kind: Any, fact: Setting) -> None:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise BadConfig(f"'{name}' is {value!r}: expected {kind.__name__}; {fact.describe()}")
    outside = isinstance(value, (int, float)) and not (
        (fact.low is None or value >= fact.low) and (fact.high is None or value <= fact.high)
    )
    if outside or (fact.choices and value not in fact.choices):
        raise BadConfig(f"'{name}' is {value!r}: {fact.describe()}")
