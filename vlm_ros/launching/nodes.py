"""Our nodes as launch actions, with their settings files and what the user's arguments set."""

from __future__ import annotations

from typing import Any

from launch import Action, LaunchContext
from launch_ros.actions import LifecycleNode, Node
from launch_ros.parameter_descriptions import ParameterValue

from vlm_ros.launching.arguments import given_parameters
from vlm_ros.launching.files import config_file

_MOURNING_S = 12.0
"""Longer than a killed process seems alive to others (5 s by our profile, 10 s by Cyclone DDS): until then
a call to bring up its successor would go to the dead."""


def plain_node(context: LaunchContext, executable: str, **parameters: Any) -> Node:
    """A node that works from its start; ``parameters`` go before all others."""
    return Node(**_described(context, executable, parameters))


def managed_node(context: LaunchContext, executable: str) -> LifecycleNode:
    """A lifecycle node, started again after it died."""
    return LifecycleNode(namespace="", respawn=True, respawn_delay=_MOURNING_S, **_described(context, executable, {}))


def simulation(context: LaunchContext) -> list[Action]:
    """The simulated room where ``sim`` is true."""
    return [plain_node(context, "sim_node")] if context.launch_configurations["sim"] == "true" else []


def told_to_wait(context: LaunchContext) -> bool:
    """Whether the user wants the engines first."""
    return context.launch_configurations["wait_for_engines"] == "true"


def _described(context: LaunchContext, executable: str, parameters: dict[str, Any]) -> dict[str, Any]:
    """What ``Node`` takes. Later parameters go before earlier ones: settings file, the user's file, arguments."""
    told = context.launch_configurations
    files = filter(None, [config_file(f"{executable}.yaml"), told.get("params_file")])
    # Without its type, launch would read the text 'yes' as a truth and '7' as a number.
    given = {
        name: ParameterValue(value, value_type=str) if isinstance(value, str) else value
        for name, value in given_parameters(executable, told).items()
    }
    return {
        "package": "vlm_ros",
        "executable": executable,
        "name": executable,
        "output": "screen",
        "parameters": [*files, {**given, **parameters}],
    }
