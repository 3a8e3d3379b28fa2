"""What the robot asks, and the only answers it takes."""

from __future__ import annotations

import re
from itertools import product

from vlm_ros.core.answer import Choices
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.percept import Bearing, PathAhead, Range

UNSEEN = "no"
"""The answer to the find question when the target is not in the picture."""

POSITIONS = {f"{bearing.value}, {range_.value}": (bearing, range_) for bearing, range_ in product(Bearing, Range)}
"""What the other answers to the find question mean."""

PATHS = {path.value: path for path in (PathAhead.CLEAR, PathAhead.BLOCKED)}
"""What the answers to the path question mean."""

FIND_FORM = Choices((UNSEEN, *POSITIONS))
PATH_FORM = Choices(tuple(PATHS))

TARGET_LIMIT = 80
"""Characters in a target: it names a thing, it tells no story."""


def target_from_text(text: str) -> str:
    """The target that a user means by ``text``, in the form models were shown: lower case, one space, no article.

    ``BadQuestion`` where nothing is left, it is longer than ``TARGET_LIMIT``, or it holds control characters.
    """
    target = re.sub(r"^(an?|the) ", "", " ".join(text.lower().split()))
    if not target:
        raise BadQuestion("the target is empty: name a thing, for example 'red ball'")
    if len(target) > TARGET_LIMIT:
        raise BadQuestion(f"the target has {len(target)} characters: name a thing in at most {TARGET_LIMIT}")
    if not target.isprintable():
        raise BadQuestion(f"the target {target!r} holds characters that cannot be printed: name a thing in plain words")
    return target


def question_about(card: ModelCard, target: str) -> str:
    """The card's find question about ``target``, which is checked as in ``target_from_text``.

    ``BadQuestion``, too, for words that a model of few words was never taught: it would see them anywhere.
    """
    name = target_from_text(target)
    unknown = [word for word in name.split() if card.target_words and word not in card.target_words]
    if unknown:
        raise BadQuestion(
            f"the model does not know {', '.join(map(repr, unknown))} of the target '{name}': "
            f"name a thing in these words: {', '.join(card.target_words)}"
        )
    return card.find_prompt.replace("{target}", name)
