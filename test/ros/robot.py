"""A navigator at work, percepts of a red ball for it, and what the wheels are told."""

from __future__ import annotations

import time
from typing import Any

from geometry_msgs.msg import Twist
from robot_bench import Bench

from vlm_ros_interfaces.msg import NavigationState, TargetPercept
from vlm_ros_interfaces.srv import SetMode, SetTarget

LIMITS = {"max_linear_mps": 0.4, "max_angular_radps": 1.5, "max_linear_mps2": 2.0, "max_angular_radps2": 8.0}
STALE_S = 0.4
"""How long the tested navigator trusts a percept."""
STOP_S = 0.25
"""How soon after that the robot must stand."""


class Robot:
    """It trusts percepts for ``STALE_S``; what it is to see, a test may change."""

    def __init__(self, bench: Bench, **parameters: Any) -> None:
        self.bench = bench
        self.process = bench.start_node(
            "navigator_node", **LIMITS, max_percept_age_s=STALE_S, max_silence_s=STALE_S, **parameters
        )
        self.commands = bench.listen(Twist, "cmd_vel")
        self.states = bench.listen(NavigationState, "navigation_state")
        self._percepts = bench.node.create_publisher(TargetPercept, "percept", 1)
        self._seeing: list[Any] = []
        self._see_ball()
        bench.bring_up("navigator_node")

    def recover(self) -> None:
        """Idle, and nothing seen or told yet."""
        for timer in self._seeing:
            timer.cancel()
        self._see_ball()
        assert self.bench.call(SetMode, "set_mode", SetMode.Request(mode="idle")).accepted
        time.sleep(0.1)
        self.commands.forget()
        self.states.forget()
        self.bench.wait_for(lambda: self.commands and self.states)

    def see(self) -> Any:
        """Publish percepts at 10 Hz until the timer is cancelled."""
        self._seeing.append(self.bench.repeat(0.1, self._publish))
        return self._seeing[-1]

    def search(self) -> None:
        response = self.bench.call(SetTarget, "set_target", SetTarget.Request(target="red ball"))
        assert response.accepted, response.message

    def drives(self) -> bool:
        return bool(self.commands) and self.commands[-1].linear.x > 0.05

    def standstill_after(self, start_s: float) -> float:
        """Seconds from ``start_s`` to the first zero that no motion follows."""
        time.sleep(STALE_S + STOP_S + 0.3)
        moving = [at_s for at_s, command in zip(self.commands.times_s, self.commands, strict=False) if moves(command)]
        assert self.commands.since(moving[-1]), "no zero was published"
        return moving[-1] - start_s

    def _see_ball(self) -> None:
        self.lag_s = 0.0
        self.seen = TargetPercept(
            target="red ball", visible=True, bearing="center", range="far", path="clear", confidence=0.9, readable=True
        )

    def _publish(self) -> None:
        now = self.bench.node.get_clock().now().nanoseconds - int(self.lag_s * 1e9)
        self.seen.header.stamp.sec, self.seen.header.stamp.nanosec = divmod(now, 10**9)
        self._percepts.publish(self.seen)


def moves(command: Twist) -> bool:
    return command.linear.x != 0.0 or command.angular.z != 0.0
