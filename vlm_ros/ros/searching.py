"""The ``search_target`` action beside a timer: nothing waits, everything happens in the navigator's one thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.node import Node

from vlm_ros_interfaces.action import SearchTarget
from vlm_ros_interfaces.msg import TargetPercept


class SearchGoals:
    """At most one search at a time; a new one takes the place of the old.

    ``refusal`` says why a target cannot be searched for in so many seconds now (empty: it can), ``begin`` starts it.
    A goal is kept instead of being waited for in a callback, because a callback that waits would
    need a second thread beside the one that commands the robot.
    """

    def __init__(self, node: Node, refusal: Callable[[str, float], str], begin: Callable[[str, float], None]) -> None:
        self._log = node.get_logger()
        self._refusal = refusal
        self._begin = begin
        self._goal: Any = None
        self._reported: tuple[str, TargetPercept] | None = None
        ActionServer(
            node,
            SearchTarget,
            "search_target",
            execute_callback=lambda goal: SearchTarget.Result(),
            goal_callback=self._on_request,
            handle_accepted_callback=self._on_accepted,
            cancel_callback=lambda request: CancelResponse.ACCEPT,
        )

    @property
    def cancel_requested(self) -> bool:
        """Whether the caller of the running search wants it to end."""
        return self._goal is not None and self._goal.is_cancel_requested

    def report(self, state: str, percept: TargetPercept) -> None:
        """Tell the caller how the search goes, whenever there is news."""
        if self._goal is not None and (state, percept) != self._reported:
            self._reported = (state, percept)
            self._goal.publish_feedback(SearchTarget.Feedback(state=state, percept=percept))

    def succeed(self, message: str) -> None:
        """The robot stands near the target."""
        self._end(lambda goal: goal.succeed(), True, message)

    def cancel(self, message: str) -> None:
        """The search ends because its caller asked for it."""
        self._end(lambda goal: goal.canceled(), False, message)

    def abort(self, message: str) -> None:
        """The search ends without the target."""
        self._end(lambda goal: goal.abort(), False, message)

    def _on_request(self, goal: SearchTarget.Goal) -> GoalResponse:
        refusal = self._refusal(goal.target, goal.timeout_s)
        if refusal:
            self._log.warning(f"refused to search for {goal.target[:80]!r}: {refusal}")
        return GoalResponse.REJECT if refusal else GoalResponse.ACCEPT

    def _on_accepted(self, goal: Any) -> None:
        self.abort("another search took its place")
        self._begin(goal.request.target, goal.request.timeout_s)
        self._goal, self._reported = goal, None

    def _end(self, conclude: Callable[[Any], None], found: bool, message: str) -> None:
        goal, self._goal = self._goal, None
        if goal is None:
            return

        def execute(handle: Any) -> SearchTarget.Result:
            conclude(handle)
            return SearchTarget.Result(found=found, message=message)

        goal.execute(execute)
