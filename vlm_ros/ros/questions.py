"""``~/ask`` and ``~/generate``: people's questions, answered in the model's thread and waited for here."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import Any, Protocol

from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from vlm_ros.core.answer import Answer, Finish, FreeText
from vlm_ros.core.clock import monotonic_s
from vlm_ros.core.errors import VlmRosError
from vlm_ros.ros.answers import form_from_request, response_from_answer, result_from_answer
from vlm_ros_interfaces.action import Generate
from vlm_ros_interfaces.srv import Ask

_FEEDBACK_S = 0.05

MOST_GENERATIONS = 4

WAITING_THREADS = 1 + MOST_GENERATIONS + 1
"""Threads that the executor needs beside the one for everything else: a question and generations that wait, and
one for cancelling."""


class Submit(Protocol):
    """Hands a question to the model, with the keywords of ``ModelWorker.submit``; may raise ``VlmRosError``."""

    def __call__(self, question: str, form: Any, **facts: Any) -> Future[Answer]:
        """The answer, some time."""


class Questions:
    """Serves people one question and at most ``MOST_GENERATIONS`` at a time: each waits in a thread of the executor.

    Further questions queue up; further generations are refused, since an action has no queue.
    """

    def __init__(self, node: Node, submit: Submit) -> None:
        self._log = node.get_logger()
        self._submit = submit
        self._room = threading.Semaphore(MOST_GENERATIONS)
        node.create_service(Ask, "~/ask", self._on_ask, callback_group=MutuallyExclusiveCallbackGroup())
        ActionServer(
            node,
            Generate,
            "~/generate",
            self._on_generate,
            cancel_callback=lambda request: CancelResponse.ACCEPT,
            callback_group=MutuallyExclusiveCallbackGroup(),
        )

    def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        try:
            form = form_from_request(request)
            return response_from_answer(
                self._submit(request.question, form, deadline_s=request.deadline_s or None).result()
            )
        except VlmRosError as error:
            response.message = str(error)
        except Exception as error:
            self._log.error(f"could not answer '{request.question[:80]}': {error!r}")
            response.message = f"the model failed: {error!r}"
        return response

    def _on_generate(self, goal: Any) -> Generate.Result:
        if not self._room.acquire(blocking=False):
            goal.abort()
            text = f"{MOST_GENERATIONS} generations are under way, as many as may be: ask again when one has ended"
            return Generate.Result(message=text)
        try:
            return self._generate(goal)
        finally:
            self._room.release()

    def _generate(self, goal: Any) -> Generate.Result:
        request, talk = goal.request, _Talk(goal)
        try:
            answer = self._submit(
                request.prompt,
                FreeText(request.max_tokens or None),
                deadline_s=request.deadline_s or None,
                on_text=talk.add,
                cancelled=lambda: goal.is_cancel_requested,
            ).result()
        except Exception as error:
            goal.abort()
            message = str(error) if isinstance(error, VlmRosError) else f"the model failed: {error!r}"
            return Generate.Result(message=message)
        talk.flush()
        if answer.finish is not Finish.CANCELLED:
            goal.succeed()
        elif goal.is_cancel_requested:
            goal.canceled()
        else:
            goal.abort()
        return result_from_answer(answer)


class _Talk:
    """Sends pieces of text as feedback, at most twenty times a second: a client keeps the last ten only."""

    def __init__(self, goal: Any) -> None:
        self._goal = goal
        self._pieces: list[str] = []
        self._sent_s = float("-inf")

    def add(self, piece: str) -> None:
        """One more piece."""
        self._pieces.append(piece)
        if monotonic_s() - self._sent_s >= _FEEDBACK_S:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._pieces:
            self._goal.publish_feedback(Generate.Feedback(text="".join(self._pieces)))
            self._pieces.clear()
            self._sent_s = monotonic_s()
