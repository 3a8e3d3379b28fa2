"""All of the robot's driving in one object without ROS: mode, target, memory, policy and gate."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum

from vlm_ros.core.config import checked
from vlm_ros.core.motion import STANDSTILL, Odometry, Pose, Scan, Velocity
from vlm_ros.core.percept import Percept, unseen
from vlm_ros.core.target import checked_target
from vlm_ros.core.things import ThingPlaced, ThingsSeen
from vlm_ros.navigation.explore import ExplorePolicy
from vlm_ros.navigation.follow import FollowConfig, FollowPolicy
from vlm_ros.navigation.gate import Command, CommandGate, GateConfig, Reason
from vlm_ros.navigation.idle import IdlePolicy
from vlm_ros.navigation.inventory import Inventory
from vlm_ros.navigation.pace import Pace
from vlm_ros.navigation.policy import Outcome, Policy, Senses, Wish
from vlm_ros.navigation.search import SearchConfig, SearchPolicy
from vlm_ros.navigation.slip import Slip
from vlm_ros.navigation.track import Track

_HOLD_TEXT = {
    Reason.DEACTIVATED: "the navigator is not active",
    Reason.SHUTTING_DOWN: "the navigator is shutting down",
}
_SET_BACK_ANSWERS = 3
"""An answer that comes after a newer one is older by at most so many times as long as an answer takes."""


class Mode(Enum):
    """What the robot is to do."""

    IDLE = "idle"
    SEARCH = "search"
    FOLLOW = "follow"
    EXPLORE = "explore"


@dataclass(frozen=True)
class NavigatorConfig(GateConfig, SearchConfig, FollowConfig):
    """Every setting of driving, flat, as a node declares them."""


@dataclass(frozen=True)
class NavigatorOutput:
    """What to publish: the command and everything ``navigation_state`` says.

    ``state`` and ``reason`` are the policy's words, ``gate`` is the gate's code and ``gate_text`` its
    words, empty where it let the wish pass. ``percept`` is the newest one of this task and
    ``percept_age_s`` the age of its picture, infinite before the first. ``outcome`` stays set from the
    end of a search until the next task.
    """

    velocity: Velocity
    mode: Mode
    target: str
    state: str
    reason: str
    gate: Reason
    gate_text: str
    percept: Percept | None
    percept_age_s: float
    outcome: Outcome | None


@dataclass
class _Task:
    """One target in one mode: what is forgotten when either changes."""

    policy: Policy
    percept: Percept | None = None
    heeded: Percept | None = None
    """What is driven by of it: to who explores, a thing that is near and ahead is one to stop for, target or not."""
    seen_from: Pose = Pose(0.0, 0.0, 0.0)
    driven_m: float = 0.0
    """Way since the picture, not less than commanded while odometry is overdue (its stamps may lie) or stands still."""
    received_s: float = -math.inf
    outcome: Outcome | None = None


class Navigator:
    """Wire callbacks to ``on_...`` and a 20 Hz timer to ``step``; one thread at a time.

    Starts inactive, idle and without a target. ``BadConfig`` for a setting out of range or a limit not given.
    """

    def __init__(self, config: NavigatorConfig) -> None:
        self._config = checked(config)
        self._gate = CommandGate(config)
        self._mode = Mode.IDLE
        self._target = ""
        self._hold: Reason | None = Reason.DEACTIVATED
        self._track = Track()
        self._slip = Slip()
        self._pace = Pace()
        self._scan: Scan | None = None
        self._commanded = STANDSTILL
        self._stepped_s = -math.inf
        self._task = _Task(self._new_policy())

    @property
    def config(self) -> NavigatorConfig:
        """The settings in force."""
        return self._config

    @property
    def mode(self) -> Mode:
        """The mode in force."""
        return self._mode

    @property
    def target(self) -> str:
        """The target in force; empty where there is none."""
        return self._target

    def reconfigure(self, config: NavigatorConfig) -> None:
        """Take changed settings and keep driving; ``BadConfig`` leaves the old ones in force.

        The gate's are in force at once, the policies' from the next task on.
        """
        checked(config)
        self._gate.limits = config
        self._config = config

    def begin(self, mode: Mode, target: str | None = None, search_timeout_s: float | None = None) -> None:
        """Begin a task from an empty memory; ``None`` keeps the target, and the time-out of the settings.

        ``BadQuestion`` where the target is no short printable text: the old task then goes on.
        """
        if target is not None:
            self._target = checked_target(target)
        self._mode = mode
        self._reset(search_timeout_s)

    def set_mode(self, mode: Mode) -> None:
        """Begin ``mode`` with the target in force."""
        self.begin(mode)

    def set_target(self, target: str) -> None:
        """Begin afresh with ``target`` in the mode in force; ``BadQuestion`` as in ``begin``."""
        self.begin(self._mode, target)

    def activate(self) -> None:
        """Allow motion, from an empty memory."""
        if self._hold is Reason.DEACTIVATED:
            self._hold = None
            self._reset()

    def deactivate(self) -> None:
        """Stand still until ``activate``."""
        if self._hold is None:
            self._hold = Reason.DEACTIVATED

    def shut_down(self) -> None:
        """Stand still for good."""
        self._hold = Reason.SHUTTING_DOWN

    def on_percept(self, percept: Percept, received_s: float) -> bool:
        """Take a percept; false where it is ignored: about another target, or an older picture than the newest one."""
        if (percept.target != self._target and self._mode is not Mode.EXPLORE) or self._is_overtaken(percept):
            return False
        aimless = self._mode is Mode.EXPLORE and percept.readable
        self._task.heeded = unseen("", percept.stamp_ns, percept.path) if aimless else percept
        self._task.percept, self._task.received_s, self._task.driven_m = percept, received_s, 0.0
        self._task.seen_from = self._track.at(percept.stamp_s)
        self._pace.on_answer(percept.stamp_s, received_s)
        return True

    def _is_overtaken(self, percept: Percept) -> bool:
        """Whether a newer picture has been answered. One that is older by a lot tells of a clock that was set back.

        By so much that the gate stands on it: an old answer is never taken for a newer one to be driven on.
        """
        held = self._task.percept
        if held is None or held.target != percept.target:
            return False
        back_s = held.stamp_s - percept.stamp_s
        return 0.0 < back_s <= max(self._config.max_percept_age_s, _SET_BACK_ANSWERS * self._pace.interval_s)

    def on_things(self, seen: ThingsSeen) -> bool:
        """Take what a picture shows; false where it is ignored.

        It is in all modes but explore, which alone keeps an inventory, and where the picture is older than the track.
        """
        inventory = self._inventory
        if inventory is None or self._track.has_forgotten(seen.stamp_s):
            return False
        inventory.learn(seen, self._track.at(seen.stamp_s))
        return True

    @property
    def inventory(self) -> tuple[ThingPlaced, ...]:
        """What was seen since the task began, and where in the odometry's frame; nothing but in mode explore.

        Without odometry the frame is that of the robot's own track, which begins where it stood first.
        """
        if self._inventory is None:
            return ()
        return tuple(self._in_odometry(thing) for thing in self._inventory.things)

    def on_odometry(self, odometry: Odometry) -> None:
        """Take a pose from the wheels."""
        self._track.on_odometry(odometry)

    @property
    def complaint(self) -> str:
        """What is wrong with what the robot hears of itself; empty where nothing is."""
        if not self._slip.slips:
            return ""
        return (
            "odometry does not follow the commands: the wheels slip, the robot was lifted up, or odometry stands still"
        )

    def on_scan(self, scan: Scan) -> None:
        """Take a laser scan."""
        self._scan = scan

    def step(self, now_s: float) -> NavigatorOutput:
        """What to command and to report now; call it at a fixed rate."""
        senses = self._senses(now_s)
        self._track.on_command(self._commanded, self._stepped_s, now_s)
        self._slip.on_command(self._commanded, self._stepped_s, now_s)
        if self._track.is_overdue and math.isfinite(self._stepped_s):
            self._task.driven_m += abs(self._commanded.linear_mps) * (now_s - self._stepped_s)
        wish = self._task.policy.step(senses)
        command = self._command(wish, senses)
        self._commanded, self._stepped_s = command.velocity, now_s
        self._task.outcome = self._task.outcome or wish.outcome
        return NavigatorOutput(
            velocity=command.velocity,
            mode=self._mode,
            target=self._target,
            state=wish.state.value,
            reason=wish.reason,
            gate=command.reason,
            gate_text=command.text,
            percept=self._task.percept,
            percept_age_s=senses.percept_age_s,
            outcome=self._task.outcome,
        )

    def _command(self, wish: Wish, senses: Senses) -> Command:
        if self._hold is not None:
            return self._gate.stop(self._hold, _HOLD_TEXT[self._hold], senses.now_s)
        if self._mode is Mode.IDLE:
            return self._gate.stop(Reason.IDLE, wish.reason, senses.now_s)
        if self._needs_target:
            return self._gate.stop(Reason.NO_TARGET, f"{self._mode.value} needs a target: set one", senses.now_s)
        if wish.outcome is not None:
            return self._gate.stop(Reason.STANDING, "", senses.now_s)
        return self._gate.step(wish, senses)

    def _senses(self, now_s: float) -> Senses:
        pose, task, percept = self._track.pose, self._task, self._task.heeded
        if percept is None:
            return Senses(now_s, pose, scan=self._scan)
        driven_m = self._slip.driven_since_m(percept.stamp_s, self._track, self._config.max_blind_m)
        task.driven_m = max(task.driven_m, driven_m)
        return Senses(
            now_s,
            pose,
            percept,
            percept_age_s=now_s - percept.stamp_s,
            seen_from=task.seen_from,
            driven_m=task.driven_m,
            silence_s=now_s - task.received_s,
            answer_every_s=self._pace.interval_s,
            scan=self._scan,
        )

    @property
    def _inventory(self) -> Inventory | None:
        policy = self._task.policy
        return policy.inventory if isinstance(policy, ExplorePolicy) else None

    def _in_odometry(self, thing: ThingPlaced) -> ThingPlaced:
        place = self._track.in_odometry(Pose(thing.x_m, thing.y_m, 0.0))
        return replace(thing, x_m=place.x_m, y_m=place.y_m)

    @property
    def _needs_target(self) -> bool:
        return self._mode in (Mode.SEARCH, Mode.FOLLOW) and not self._target

    def _reset(self, search_timeout_s: float | None = None) -> None:
        """Forget everything that belongs to the last task, but not where the robot is."""
        self._task = _Task(self._new_policy(search_timeout_s))

    def _new_policy(self, search_timeout_s: float | None = None) -> Policy:
        pose = self._track.pose
        if self._mode is Mode.SEARCH:
            return SearchPolicy(self._config, pose, search_timeout_s)
        if self._mode is Mode.FOLLOW:
            return FollowPolicy(self._config, pose)
        return ExplorePolicy(self._config, pose) if self._mode is Mode.EXPLORE else IdlePolicy()
