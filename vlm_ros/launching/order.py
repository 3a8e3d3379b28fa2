"""Who comes up after whom: the engines beside or before the rest, then one managed node after the other."""

from __future__ import annotations

from itertools import zip_longest

from launch import Action, Event, LaunchContext
from launch.actions import EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handler import BaseEventHandler
from launch.event_handlers import OnProcessExit, OnProcessStart
from launch.events import matches_action
from launch.events.process import ProcessExited, ProcessStarted
from launch_ros.actions import LifecycleNode, Node
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState, StateTransition
from lifecycle_msgs.msg import Transition


def in_order(build: Node, *managed: LifecycleNode, wait: bool) -> list[Action]:
    """Run ``build``, and bring up each managed node once the one before it is active; what fails ends the launch.

    With ``wait`` the first one starts after ``build`` succeeded. Without, it starts at once: it answers on ONNX
    Runtime until the engines are there, and tells in its diagnostics where they could not be built.
    """
    handlers: list[BaseEventHandler] = []
    for node, following in zip_longest(managed, managed[1:]):
        handlers.append(_bring_up(node))
        if following is not None:
            handlers.append(_after_activation(node, following))
    if wait:
        handlers.append(when_done(build, managed[0]))
    return [*map(RegisterEventHandler, handlers), build, *([] if wait else managed[:1])]


def when_done(build: Node, *following: Action) -> OnProcessExit:
    """Once ``build`` is done ``following`` start; a failed build ends the launch with a status that is not 0."""

    def on_exit(event: ProcessExited, context: LaunchContext) -> list[Action]:
        if context.is_shutdown:
            return []
        if event.returncode != 0:
            return [end_launch("the engines could not be built: build_node says why")]
        return list(following)

    return OnProcessExit(target_action=build, on_exit=on_exit)


def end_launch(reason: str) -> OpaqueFunction:
    """Ends the launch with status 1, which an exception alone does: a ``Shutdown`` ends it with 0."""

    def fail(context: LaunchContext) -> None:
        raise LaunchFailed(reason)

    return OpaqueFunction(function=fail)


class LaunchFailed(RuntimeError):
    """Why a launch ends before anybody asked it to; ``launch`` prints it."""


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
        handlers = [activate, _ends_where_it_fails(node)]
        return [*map(RegisterEventHandler, handlers), _change(node, Transition.TRANSITION_CONFIGURE)]

    return OnProcessStart(target_action=node, on_start=on_start)


def _ends_where_it_fails(node: LifecycleNode) -> OnStateTransition:
    """End the launch where the first configuration or activation fails."""
    waiting = {"configuring": "inactive", "activating": "active"}

    def fails(event: Event) -> bool:
        if not isinstance(event, StateTransition) or event.action is not node or event.start_state not in waiting:
            return False
        return event.goal_state != waiting.pop(event.start_state)

    failure = end_launch(f"{node.node_name} does not start: its log says why")
    return OnStateTransition(matcher=fails, entities=[failure], handle_once=True)


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
