"""Who comes up after whom: first the engines, then one managed node after the other."""

from __future__ import annotations

from itertools import zip_longest

from launch import Action, LaunchContext
from launch.actions import EmitEvent, RegisterEventHandler, Shutdown
from launch.event_handler import BaseEventHandler
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessStarted
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition


def in_order(build: Node, *managed: LifecycleNode) -> list[Action]:
    """Run ``build`` to its end, then start each managed node once the one before it is active."""
    handlers: list[BaseEventHandler] = [_after_success(build, managed[0])]
    for node, following in zip_longest(managed, managed[1:]):
        handlers.append(_bring_up(node))
        if following is not None:
            handlers.append(_after_activation(node, following))
    return [*map(RegisterEventHandler, handlers), build]


def _after_success(build: Node, following: LifecycleNode) -> OnProcessExit:
    """A failed build ends the launch."""

    def on_exit(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if event.returncode != 0:
            return [Shutdown(reason="the engines could not be built: build_node says why")]
        return [following]

    return OnProcessExit(target_action=build, on_exit=on_exit)


def _bring_up(node: LifecycleNode) -> OnProcessStart:
    """Configure and activate the node once for each start of its process; later changes are the user's own."""

    def on_start(event: ProcessStarted, context: LaunchContext) -> list[Action]:
        activate = OnStateTransition(
            target_lifecycle_node=node,
            start_state="configuring",
            goal_state="inactive",
            entities=[_change(node, Transition.TRANSITION_ACTIVATE)],
            handle_once=True,
        )
        return [RegisterEventHandler(activate), _change(node, Transition.TRANSITION_CONFIGURE)]

    return OnProcessStart(target_action=node, on_start=on_start)


def _after_activation(node: LifecycleNode, following: LifecycleNode) -> OnStateTransition:
    return OnStateTransition(
        target_lifecycle_node=node,
        start_state="activating",
        goal_state="active",
        entities=[following],
        handle_once=True,
    )


def _change(node: LifecycleNode, transition: int) -> EmitEvent:
    return EmitEvent(event=ChangeState(lifecycle_node_matcher=matches_action(node), transition_id=transition))
