"""Answers to messages, and answer forms from requests."""

from __future__ import annotations

import json
from typing import TypeVar

from std_msgs.msg import String

from vlm_ros.core.answer import Answer, AnswerForm, Choices, Finish, FreeText, JsonSchema, Regex
from vlm_ros.core.errors import BadQuestion
from vlm_ros.ros.stamps import header_from_ns
from vlm_ros_interfaces.action import Generate
from vlm_ros_interfaces.msg import SceneDescription
from vlm_ros_interfaces.srv import Ask

M = TypeVar("M", SceneDescription, Ask.Response, Generate.Result)

_CUT = {
    Finish.LENGTH: "the answer was cut: it reached the most tokens it may have",
    Finish.DEADLINE: "the answer was cut: it took longer than deadline_s",
    Finish.CANCELLED: "the answer was cut: it was cancelled",
}


def form_from_request(request: Ask.Request) -> AnswerForm:
    """What the answer must look like; ``BadQuestion`` where the request asks for two forms or for none that works."""
    forms: list[AnswerForm] = []
    if request.choices:
        forms.append(Choices(tuple(request.choices)))
    if request.regex:
        forms.append(Regex(request.regex))
    if request.json_schema:
        forms.append(JsonSchema(_schema_from_text(request.json_schema)))
    if len(forms) > 1:
        raise BadQuestion("a question has one answer form: give at most one of choices, regex and json_schema")
    return forms[0] if forms else FreeText()


def scene_from_answer(answer: Answer, prompt: str) -> SceneDescription:
    """The stamped scene."""
    return _with_answer(SceneDescription(prompt=prompt, text=answer.text), answer)


def string_from_answer(answer: Answer) -> String:
    """The scene in words alone."""
    return String(data=answer.text)


def response_from_answer(answer: Answer) -> Ask.Response:
    """What the asker gets."""
    response = Ask.Response(success=answer.complete, message=_CUT.get(answer.finish, ""), answer=answer.text)
    return _with_answer(response, answer)


def result_from_answer(answer: Answer) -> Generate.Result:
    """What ends a generation."""
    result = Generate.Result(success=answer.complete, message=_CUT.get(answer.finish, ""), text=answer.text)
    return _with_answer(result, answer)


def _with_answer(message: M, answer: Answer) -> M:
    message.header = header_from_ns(answer.stamp_ns, answer.frame_id)
    message.finish = answer.finish.value
    message.confidence = float(answer.confidence)
    message.tokens = answer.tokens
    message.first_token_s = float(answer.first_token_s)
    message.total_s = float(answer.total_s)
    return message


def _schema_from_text(text: str) -> dict[str, object]:
    try:
        schema = json.loads(text)
    except ValueError as error:
        raise BadQuestion(f"json_schema is no JSON text ({error})") from error
    if not isinstance(schema, dict):
        raise BadQuestion(f"json_schema is {text[:80]!r}, expected a JSON object")
    return schema
