"""Whether something is a text at all: typed on a broken terminal, or handed over by a program."""

from __future__ import annotations

from vlm_ros.core.errors import BadQuestion


def check_text(text: object, what: str = "question") -> None:
    """``BadQuestion`` where ``text``, called ``what``, is no text, or holds bytes or halves that are no characters."""
    if not isinstance(text, str):
        raise BadQuestion(f"the {what} is {text!r} of the type {type(text).__name__}: give text")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        broken = text[error.start : error.end]
        raise BadQuestion(
            f"the {what} holds {ascii(broken)}, which is no character: give it in UTF-8 "
            "(in a terminal, look at the environment variable LANG)"
        ) from error
