"""A managed node whose transitions tell the truth when they fail."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from rclpy.action.server import RCLError
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from vlm_ros.core.errors import VlmRosError
from vlm_ros.ros.parameters import NodeParameters

C = TypeVar("C")


class ManagedNode(LifecycleNode, Generic[C]):
    """Base of our lifecycle nodes: subclasses override the verbs, from ``configure`` to ``stop``.

    rclpy drops the text of an exception in a transition, and manages publishers only. So this
    class logs what went wrong, refuses the transition for an error on purpose (``VlmRosError``:
    FAILURE, the state stays) and processes any other (ERROR, the node ends unconfigured), and the
    subclasses create and destroy their subscriptions and timers themselves.
    """

    def __init__(self, name: str, defaults: C) -> None:
        super().__init__(name)
        self._refuse_impossible_transitions()
        self.state = "unconfigured"
        self.parameters = NodeParameters(self, defaults, self.reconfigure)

    @property
    def config(self) -> C:
        """The settings in force."""
        return self.parameters.config

    def configure(self) -> None:
        """Take what is needed to work."""

    def reconfigure(self, config: C) -> None:
        """Take live settings that changed after ``configure``; ``BadConfig`` refuses them."""

    def activate(self) -> None:
        """Begin to work."""

    def deactivate(self) -> None:
        """Stop working; called also where nothing works."""

    def cleanup(self) -> None:
        """Give back what ``configure`` took; called also where it took nothing."""

    def stop(self) -> None:
        """Leave the robot standing, now and from any thread. Called before the process leaves, whatever the reason."""

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lock the fixed settings, then configure; a node that failed to is as before."""
        self.parameters.locked = True
        result = self._attempt("configure", self.configure, "inactive")
        if result != TransitionCallbackReturn.SUCCESS:
            self._release()
        return result

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work; a node that failed to is inactive."""
        result = self._attempt("activate", self.activate, "active")
        if result != TransitionCallbackReturn.SUCCESS:
            self._attempt("deactivate", self.deactivate, "inactive")
        return result

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working."""
        return self._attempt("deactivate", self.deactivate, "inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Forget everything; the settings may change again."""
        return self._release()

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop for good."""
        self._attempt("stop", self.stop, self.state)
        result = self._release()
        self.state = "finalized"
        return result

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Give everything back, so that the node can be configured again."""
        return self._release()

    def destroy_node(self) -> None:
        """Stop and free before the node goes.

        A node that was refused its parameters has nothing to stop: its subclass never came to set it up.
        """
        if hasattr(self, "parameters"):
            self._attempt("stop", self.stop, self.state)
            self._release()
        super().destroy_node()

    def _refuse_impossible_transitions(self) -> None:
        """Humble lets the error of a transition that the state does not have end the process; later releases refuse."""
        service = next(service for service in self.services if service.srv_name.endswith("change_state"))
        change_state = service.callback

        def refuse_or_change(request: Any, response: Any) -> Any:
            try:
                return change_state(request, response)
            except RCLError as error:
                self.get_logger().error(f"no such transition from '{self.state}': {error}")
                response.success = False
                return response

        service.callback = refuse_or_change

    def _release(self) -> TransitionCallbackReturn:
        stopped = self._attempt("deactivate", self.deactivate, "inactive")
        freed = self._attempt("clean up", self.cleanup, "unconfigured")
        self.parameters.locked = False
        return freed if stopped == TransitionCallbackReturn.SUCCESS else stopped

    def _attempt(self, what: str, action: Callable[[], None], state_after: str) -> TransitionCallbackReturn:
        try:
            action()
        except VlmRosError as error:
            self.get_logger().error(f"could not {what}: {error}")
            return TransitionCallbackReturn.FAILURE
        except Exception:
            self.get_logger().error(f"could not {what}:\n{traceback.format_exc()}")
            return TransitionCallbackReturn.ERROR
        self.state = state_after
        return TransitionCallbackReturn.SUCCESS
