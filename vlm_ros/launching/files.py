"""The frame of every launch file: declared arguments, our transport, then the nodes."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from ament_index_python.packages import get_package_share_path
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import DeclareLaunchArgument, OpaqueFunction, SetEnvironmentVariable

from vlm_ros.launching.arguments import ARGUMENTS

_BEFORE_FAST_DDS_3 = ("humble", "iron", "jazzy")


def describe_launch(bring_up: Callable[[LaunchContext], Sequence[Action]], *arguments: str) -> LaunchDescription:
    """A launch file's description: its ``arguments``, our transport, and the actions that ``bring_up`` returns."""
    return LaunchDescription([*map(_declared, arguments), *_own_transport(), OpaqueFunction(function=bring_up)])


def config_file(name: str) -> str:
    """The path of an installed settings file."""
    return str(get_package_share_path("vlm_ros") / "config" / name)


def _declared(name: str) -> DeclareLaunchArgument:
    argument = ARGUMENTS[name]
    return DeclareLaunchArgument(
        name, default_value=argument.default, description=argument.help, choices=list(argument.choices) or None
    )


def _own_transport() -> list[Action]:
    """Fast DDS with room for whole pictures in shared memory, unless the user brings a profile of their own."""
    older, newer = "FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE"
    if os.environ.get(older) or os.environ.get(newer):
        return []
    name = older if os.environ.get("ROS_DISTRO") in _BEFORE_FAST_DDS_3 else newer
    return [SetEnvironmentVariable(name, config_file("fastdds.xml"))]
