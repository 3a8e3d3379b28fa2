"""What may be called a target: one rule for those who drive to it and those who ask about it."""

from __future__ import annotations

from vlm_ros.core.errors import BadQuestion

TARGET_LIMIT = 80
"""Characters in a target: it names a thing, it tells no story."""


def checked_target(text: str) -> str:
    """``text`` with its white space tidied.

    ``BadQuestion`` where nothing is left, it is longer than ``TARGET_LIMIT``, or it holds control characters.
    """
    target = " ".join(text.split())
    if not target:
        raise BadQuestion("the target is empty: name a thing, for example 'red ball'")
    if len(target) > TARGET_LIMIT:
        raise BadQuestion(f"the target has {len(target)} characters: name a thing in at most {TARGET_LIMIT}")
    if not target.isprintable():
        raise BadQuestion(f"the target {target!r} holds characters that cannot be printed: name a thing in plain words")
    return target
