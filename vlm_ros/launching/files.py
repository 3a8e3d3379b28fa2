"""The frame of every launch file: declared arguments, our transport, then the nodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ament_index_python.packages import get_package_share_path
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable

from vlm_ros.launching.arguments import ARGUMENTS
from vlm_ros.launching.transport import own_transport


def describe_launch(bring_up: Callable[[LaunchContext], Sequence[Action]], *arguments: str) -> LaunchDescription:
    """A launch file's description: its ``arguments``, our transport, and the actions that ``bring_up`` returns."""
    return LaunchDescription([*map(_declared, arguments), *_transport(), OpaqueFunction(function=bring_up)])


def config_file(name: str) -> str:
    """The path of an installed settings file."""
    return str(get_package_share_path("vlm_ros") / "config" / name)


def _declared(name: str) -> DeclareLaunchArgument:
    argument = ARGUMENTS[name]
    return DeclareLaunchArgument(
        name, default_value=argument.default, description=argument.help, choices=list(argument.choices) or None
    )


def _transport() -> list[Action]:
    variables = own_transport(os.environ, config_file("fastdds.xml"))
    return [SetEnvironmentVariable(name, value) for name, value in variables.items()]
