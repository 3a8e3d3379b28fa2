"""Drives the robot: percepts in, ``cmd_vel`` out at 20 Hz, zero whenever there is no good reason for more."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from nav_msgs.msg import Odometry as OdometryMsg
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import LaserScan
from std_msgs.msg import Header, String

from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.config import setting
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.percept import Percept, unreadable
from vlm_ros.core.target import checked_target
from vlm_ros.navigation.gate import Reason
from vlm_ros.navigation.navigator import Mode, Navigator, NavigatorConfig, NavigatorOutput
from vlm_ros.navigation.policy import Outcome
from vlm_ros.navigation.search import LONGEST_SEARCH_S, SHORTEST_SEARCH_S
from vlm_ros.ros.commands import CommandPublisher
from vlm_ros.ros.dated import subscribe_dated
from vlm_ros.ros.diagnostics import Health, Level, publish_health
from vlm_ros.ros.lifecycle import ManagedNode
from vlm_ros.ros.motion import odometry_from_msg, scan_from_msg, twist_from_velocity
from vlm_ros.ros.percepts import percept_from_msg
from vlm_ros.ros.qos import LATCHED, NEWEST
from vlm_ros.ros.quieting import Quieted
from vlm_ros.ros.running import run_node
from vlm_ros.ros.searching import SearchGoals
from vlm_ros.ros.things import InventoryPublisher, things_from_msg
from vlm_ros.ros.timers import create_steady_timer
from vlm_ros_interfaces.msg import NavigationState, TargetPercept, ThingsSeen
from vlm_ros_interfaces.srv import SetMode, SetTarget

STEP_S = 0.05
_QUIET_AFTER_S = 1.0
_LATE_ODOMETRY_S = 0.5
_MODES = tuple(mode.value for mode in Mode)
_BROKEN = (Reason.SILENT, Reason.STALE_PERCEPT, Reason.UNREADABLE_PERCEPT, Reason.BAD_WISH)
"""Grounds to stand that ought not to be; all others belong to driving."""
_NOT_ACTIVE = "the navigator is not active: activate it first"


@dataclass(frozen=True)
class NavigatorNodeConfig(NavigatorConfig):
    """The settings of driving, and how the node is wired."""

    laser_yaw_deg: float = setting(
        0.0, "where the laser's x axis points, counter-clockwise from straight ahead; it is taken to sit over the "
        "turning axis and not upside down", unit="deg", low=-180.0, high=180.0,
    )  # fmt: skip
    stamped: bool = setting(False, "publish cmd_vel as TwistStamped instead of Twist")
    base_frame: str = setting("base_link", "frame that a stamped cmd_vel is given in")
    quiet_when_idle: bool = setting(
        False, "publish no zeros while idle, so that others may use cmd_vel through a multiplexer", live=True
    )
    mode: str = setting("idle", "what to do once active", choices=_MODES)
    target: str = setting("", "what to look for once active; empty: nothing yet")


class NavigatorNode(ManagedNode[NavigatorNodeConfig]):
    """Wires the navigator. All happens in one thread and on the steady clock, to which every stamp is brought."""

    _navigator: Navigator
    _commands: CommandPublisher

    def __init__(self) -> None:
        super().__init__("navigator_node", NavigatorNodeConfig())
        self._configured = False
        self._warn = Quieted(self.get_logger().warning)
        self._output: NavigatorOutput | None = None
        self._inputs: list[Any] = []
        self._things: Subscription | None = None
        self._odometry_frame = ""
        self._timer: Timer | None = None
        self._states = self.create_publisher(NavigationState, "navigation_state", 1)
        self._targets = self.create_publisher(String, "target", LATCHED)
        self._inventory = InventoryPublisher(self)
        self.create_service(SetTarget, "set_target", self._on_set_target)
        self.create_service(SetMode, "set_mode", self._on_set_mode)
        self._search = SearchGoals(self, self._refusal, self._begin_search)
        publish_health(self, self.health)

    def configure(self) -> None:
        """Make the navigator; refused where a limit of motion is not given."""
        config = self.config
        self._navigator = Navigator(config)
        self._navigator.begin(Mode(config.mode), config.target or None)
        self._commands = CommandPublisher(self, stamped=config.stamped, frame_id=config.base_frame)
        self._configured = True

    def reconfigure(self, config: NavigatorNodeConfig) -> None:
        """Take changed limits while driving."""
        if self._configured:
            self._navigator.reconfigure(config)

    def activate(self) -> None:
        """Listen, and go on with the task from an empty memory."""
        self._navigator.activate()
        self._last_task_s, self._warned_late = monotonic_s(), False
        self._announce()
        self._commands.release()
        self._inputs = [
            subscribe_dated(self, TargetPercept, "percept", self._on_percept, 1, self._on_percept_ahead),
            subscribe_dated(self, OdometryMsg, "odom", self._on_odometry, NEWEST),
            subscribe_dated(self, LaserScan, "scan", self._on_scan, NEWEST),
        ]
        self._timer = create_steady_timer(self, STEP_S, self._step)

    def deactivate(self) -> None:
        """Stand still and listen no more."""
        if not self._configured:
            return
        self._navigator.deactivate()
        self._step()
        self._commands.hold()
        self._search.abort("the navigator was deactivated")
        self._targets.publish(String(data=""))
        self._listen_for_things(False)
        if self._timer is not None:
            self.destroy_timer(self._timer)
        for subscription in self._inputs:
            self.destroy_subscription(subscription)
        self._inputs, self._timer = [], None

    def cleanup(self) -> None:
        """Close ``cmd_vel``."""
        if self._configured:
            self._commands.destroy()
        self._configured, self._output = False, None

    def stop(self) -> None:
        """Stand still for good."""
        if self._configured:
            self._navigator.shut_down()
            self._commands.hold()
            self._search.abort("the navigator is shutting down")

    def health(self) -> Health:
        """What the robot does and why, for ``/diagnostics``."""
        output = self._output
        if output is None:
            return Health(Level.OK, self.state)
        values = {
            "state": self.state,
            "mode": output.mode.value,
            "target": output.target,
            "doing": output.state,
            "gate": output.gate.value,
            "percept_age_s": output.percept_age_s,
        }
        if complaint := self._commands.complaint() or self._navigator.complaint:
            return Health(Level.WARN, complaint, values)
        level = Level.WARN if output.gate in _BROKEN else Level.OK
        return Health(level, output.gate_text or output.reason, values)

    def _step(self) -> None:
        """One step of driving: command first, then tell."""
        if self._search.cancel_requested:
            self._begin(Mode.IDLE)
            self._search.cancel("cancelled: the robot stands still")
        now_s = monotonic_s()
        output = self._output = self._navigator.step(now_s)
        if not self._is_quiet(output, now_s):
            self._commands.publish(output.velocity)
        self._states.publish(self._state_msg(output))
        if output.mode is Mode.EXPLORE and self._inventory.due(now_s):
            self._inventory.publish(self._navigator.inventory, self._odometry_frame, now_s)
        self._search.report(output.state, self._percept_msg)
        if output.outcome is Outcome.FOUND:
            self._search.succeed(output.reason)
        elif output.outcome is not None:
            self._search.abort(output.reason)

    def _is_quiet(self, output: NavigatorOutput, now_s: float) -> bool:
        """Whether to leave ``cmd_vel`` to others; only after a second of zeros."""
        if output.mode is not Mode.IDLE:
            self._last_task_s = now_s
        return self.config.quiet_when_idle and now_s - self._last_task_s > _QUIET_AFTER_S

    def _state_msg(self, output: NavigatorOutput) -> NavigationState:
        return NavigationState(
            header=Header(stamp=self.get_clock().now().to_msg(), frame_id=self.config.base_frame),
            mode=output.mode.value,
            target=output.target,
            state=output.state,
            reason=output.reason,
            gate_reason=output.gate_text,
            command=twist_from_velocity(output.velocity),
            percept_age_s=output.percept_age_s,
        )

    def _begin(self, mode: Mode, target: str | None = None, search_timeout_s: float | None = None) -> None:
        """Begin a task, and tell the inference node what to look for: nothing while idle."""
        self._navigator.begin(mode, target, search_timeout_s)
        self._announce()

    def _announce(self) -> None:
        self._percept_msg = TargetPercept()
        idle = self._navigator.mode is Mode.IDLE
        self._targets.publish(String(data="" if idle else self._navigator.target))

        self._listen_for_things(self._navigator.mode is Mode.EXPLORE)

    def _listen_for_things(self, wanted: bool) -> None:
        """Subscribe only while exploring: the inference node names things as long as somebody listens."""
        if wanted and self._things is None:
            self._things = subscribe_dated(self, ThingsSeen, "things", self._on_things, 1)
        elif not wanted and self._things is not None:
            self.destroy_subscription(self._things)
            self._things = None

    def _begin_search(self, target: str, timeout_s: float) -> None:
        self._begin(Mode.SEARCH, target, timeout_s or None)

    def _refusal(self, target: str, timeout_s: float = 0.0) -> str:
        """Why there can be no search for ``target`` in ``timeout_s`` now; empty where there can."""
        if self.state != "active":
            return _NOT_ACTIVE
        try:
            checked_target(target)
        except BadQuestion as error:
            return str(error)
        if timeout_s != 0.0 and not SHORTEST_SEARCH_S <= timeout_s <= LONGEST_SEARCH_S:
            return (
                f"timeout_s is {timeout_s:g}: give {SHORTEST_SEARCH_S:g} to {LONGEST_SEARCH_S:g} seconds, "
                "or 0 to take the parameter's"
            )
        return ""

    def _on_set_target(self, request: SetTarget.Request, response: SetTarget.Response) -> SetTarget.Response:
        following = self._configured and self._navigator.mode is Mode.FOLLOW
        mode = request.mode or (Mode.FOLLOW if following else Mode.SEARCH).value
        response.message = self._refusal(request.target)
        if not response.message and mode not in (Mode.SEARCH.value, Mode.FOLLOW.value):
            response.message = f"{mode[:80]!r} has no target: give mode search or follow, or leave it empty"
        response.accepted = not response.message
        if response.accepted:
            self._replace_task(Mode(mode), request.target)
            response.message = f"{mode}: '{self._navigator.target}'"
        return response

    def _on_set_mode(self, request: SetMode.Request, response: SetMode.Response) -> SetMode.Response:
        if self.state != "active":
            response.message = _NOT_ACTIVE
        elif request.mode not in _MODES:
            response.message = f"unknown mode {request.mode[:80]!r}: known are {', '.join(_MODES)}"
        elif Mode(request.mode) in (Mode.SEARCH, Mode.FOLLOW) and not self._navigator.target:
            response.message = f"{request.mode} needs a target: call set_target"
        else:
            response.accepted = True
            self._replace_task(Mode(request.mode))
            response.message = request.mode
        return response

    def _replace_task(self, mode: Mode, target: str | None = None) -> None:
        self._search.abort("another task took its place")
        self._begin(mode, target)

    def _on_percept(self, message: TargetPercept, stamp_s: float) -> None:
        stamp_ns = int(stamp_s * 1e9)
        try:
            percept = percept_from_msg(message, stamp_ns)
        except ValueError as error:
            self._warn(f"a percept cannot be read: {error}")
            percept = unreadable(message.target, stamp_ns)
        self._take(percept, message)

    def _on_percept_ahead(self, message: TargetPercept, ahead_s: float) -> None:
        """Stand on what the inference node never sends: how old its picture is, nobody knows."""
        self._warn(
            f"a percept is stamped about {ahead_s:.0f} s ahead of this node's clock, so that nobody knows how old its "
            "picture is: the robot stands; synchronise the clocks, or set use_sim_time on all nodes or on none"
        )
        self._take(unreadable(message.target, int(monotonic_s() * 1e9)), message)

    def _take(self, percept: Percept, message: TargetPercept) -> None:
        if self._navigator.on_percept(percept, monotonic_s()):
            self._percept_msg = message

    def _on_things(self, message: ThingsSeen, stamp_s: float) -> None:
        try:
            self._navigator.on_things(things_from_msg(message, int(stamp_s * 1e9)))
        except ValueError as error:
            self._warn(f"a list of things cannot be read: {error}")

    def _on_odometry(self, message: OdometryMsg, stamp_s: float) -> None:
        self._odometry_frame = message.header.frame_id
        self._warn_of_late_odometry(monotonic_s() - stamp_s)
        try:
            self._navigator.on_odometry(odometry_from_msg(message, stamp_s))
        except ValueError as error:
            self._warn(f"odometry cannot be read: {error}")

    def _warn_of_late_odometry(self, age_s: float) -> None:
        if age_s < _LATE_ODOMETRY_S or self._warned_late:
            return
        self._warned_late = True
        self._warn(
            f"odometry is {age_s:.1f} s old by this node's clock when it arrives: what the robot did since is guessed "
            "from its commands; synchronise the clocks, or publish it sooner"
        )

    def _on_scan(self, message: LaserScan, stamp_s: float) -> None:
        self._navigator.on_scan(scan_from_msg(message, stamp_s, math.radians(self.config.laser_yaw_deg)))


def main() -> int:
    """Run the node."""
    return run_node(lambda leave: NavigatorNode())
