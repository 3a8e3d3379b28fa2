"""What the launch files share: their arguments, the nodes with their settings, and the order in which nodes come up.

Needs ``launch`` and ``launch_ros`` of Humble or later; nothing but the launch files imports it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from ament_index_python.packages import get_package_share_path
from launch import Action, LaunchContext, LaunchDescription
from launch.actions import (
    DeclareLaunchArgument,
    EmitEvent,
    OpaqueFunction,
    RegisterEventHandler,
    SetEnvironmentVariable,
    Shutdown,
)
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.events import matches_action
from launch.events.process import ProcessExited
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from launch_ros.parameter_descriptions import ParameterValue
from lifecycle_msgs.msg import Transition

_FLAG = ["", "true", "false"]
_AS_SET = "; left empty: as the settings file says"

ARGUMENTS: dict[str, dict[str, Any]] = {
    "model": {"description": "model bundle: a name under engines/, or a folder" + _AS_SET},
    "camera": {"description": "image topic" + _AS_SET},
    "compressed": {"description": "whether the camera sends CompressedImage" + _AS_SET, "choices": _FLAG},
    "target": {"description": "what to look for at once, for example 'red ball'" + _AS_SET},
    "mode": {
        "description": "what to do at once; left empty: search where there is a target, else as the settings file says",
        "choices": ["", "idle", "search", "follow", "explore"],
    },
    "stamped": {"description": "whether cmd_vel is TwistStamped instead of Twist" + _AS_SET, "choices": _FLAG},
    "sim": {
        "description": "whether to start the simulated room and robot",
        "default_value": "false",
        "choices": _FLAG[1:],
    },
    "seed": {"description": "which simulated room" + _AS_SET},
    "params_file": {"description": "YAML file of parameters that go before those in config/", "default_value": ""},
}
"""What ``DeclareLaunchArgument`` takes for each argument."""

PARAMETERS: dict[str, dict[str, tuple[str, type]]] = {
    "build_node": {"model": ("model", str)},
    "inference_node": {"model": ("model", str), "image_topic": ("camera", str), "compressed": ("compressed", bool)},
    "navigator_node": {"target": ("target", str), "mode": ("mode", str), "stamped": ("stamped", bool)},
    "sim_node": {"target": ("target", str), "stamped": ("stamped", bool), "seed": ("seed", int)},
}
"""For each executable: parameter to the argument that sets it, and its type."""


def describe_launch(bring_up: Callable[[LaunchContext], Sequence[Action]], *arguments: str) -> LaunchDescription:
    """A launch file's description: its ``arguments``, our transport, and the actions that ``bring_up`` returns."""
    declared = [DeclareLaunchArgument(name, **{"default_value": "", **ARGUMENTS[name]}) for name in arguments]
    return LaunchDescription([*declared, *_own_transport(), OpaqueFunction(function=bring_up)])


def plain_node(context: LaunchContext, executable: str, **parameters: Any) -> Node:
    """A node that works from its start; ``parameters`` go before all others."""
    return Node(**_node(context, executable, parameters))


def managed_node(context: LaunchContext, executable: str) -> LifecycleNode:
    """A lifecycle node; a killed one is started again, and ``bring_up`` brings it up again."""
    return LifecycleNode(namespace="", respawn=True, respawn_delay=2.0, **_node(context, executable, {}))


def simulation(context: LaunchContext) -> list[Action]:
    """The simulated room where ``sim`` is true."""
    return [plain_node(context, "sim_node")] if context.launch_configurations["sim"] == "true" else []


def in_order(build: Node, *managed: LifecycleNode) -> list[Action]:
    """Run ``build`` to its end, then bring up one managed node after the other; a failure ends the launch."""
    actions: list[Action] = [build, _after_success(build, managed[0])]
    for node, following in zip(managed, [*managed[1:], None], strict=True):
        actions += _brought_up(node, following)
    return actions


def _node(context: LaunchContext, executable: str, parameters: dict[str, Any]) -> dict[str, Any]:
    files = [_config(f"{executable}.yaml"), context.launch_configurations.get("params_file", "")]
    return {
        "package": "vlm_ros",
        "executable": executable,
        "name": executable,
        "output": "screen",
        "parameters": [*filter(None, files), {**_given(context, executable), **parameters}],
    }


def _given(context: LaunchContext, executable: str) -> dict[str, ParameterValue]:
    """The parameters that the user set by an argument."""
    given = dict(context.launch_configurations)
    if given.get("target") and not given.get("mode"):
        given["mode"] = "search"
    return {
        parameter: ParameterValue(given[argument], value_type=kind)
        for parameter, (argument, kind) in PARAMETERS[executable].items()
        if given.get(argument)
    }


def _own_transport() -> list[Action]:
    """Fast DDS with room for whole pictures in shared memory, unless the user brings a profile of their own."""
    names = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    if any(os.environ.get(name) for name in names):
        return []
    return [SetEnvironmentVariable(name, _config("fastdds.xml")) for name in names]


def _config(name: str) -> str:
    return str(get_package_share_path("vlm_ros") / "config" / name)


def _after_success(build: Node, following: LifecycleNode) -> RegisterEventHandler:
    def on_exit(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if event.returncode != 0:
            return [Shutdown(reason="the engines could not be built: build_node says why")]
        return [following]

    return RegisterEventHandler(OnProcessExit(target_action=build, on_exit=on_exit))


def _brought_up(node: LifecycleNode, following: LifecycleNode | None) -> list[Action]:
    """Configure and activate ``node`` whenever it starts; start ``following`` once it is active."""
    configure = _change(node, Transition.TRANSITION_CONFIGURE)
    activate = _change(node, Transition.TRANSITION_ACTIVATE)
    handlers = [
        OnProcessStart(target_action=node, on_start=[configure]),
        OnStateTransition(
            target_lifecycle_node=node, start_state="configuring", goal_state="inactive", entities=[activate]
        ),
    ]
    if following is not None:
        handlers.append(
            OnStateTransition(
                target_lifecycle_node=node,
                start_state="activating",
                goal_state="active",
                entities=[following],
                handle_once=True,
            )
        )
    return [RegisterEventHandler(handler) for handler in handlers]


def _change(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))
