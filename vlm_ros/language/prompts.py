"""What the robot asks, and the only answers it takes."""

from __future__ import annotations

import re
from itertools import product

from vlm_ros.core.answer import Choices, Regex
from vlm_ros.core.card import ModelCard
from vlm_ros.core.errors import BadQuestion
from vlm_ros.core.percept import Bearing, PathAhead, Range
from vlm_ros.core.target import checked_target
from vlm_ros.core.things import MOST_THINGS, NAME_PATTERN, NOTHING, PLACE_WORDS

UNSEEN = "no"
"""The answer to the find question when the target is not in the picture."""

POSITIONS = {f"{bearing.value}, {range_.value}": (bearing, range_) for bearing, range_ in product(Bearing, Range)}
"""What the other answers to the find question mean."""

PATHS = {path.value: path for path in (PathAhead.CLEAR, PathAhead.BLOCKED)}
"""What the answers to the path question mean."""

FIND_FORM = Choices((UNSEEN, *POSITIONS))
PATH_FORM = Choices(tuple(PATHS))

PLACES = {words: bearing for bearing, words in PLACE_WORDS.items()}
"""What the places in a list of things mean."""

_RANGES = "|".join(range_.value for range_ in Range)
THING_PATTERN = f"an? (?P<name>{NAME_PATTERN}) (?P<place>{'|'.join(PLACES)}), (?P<range>{_RANGES})[.]"
"""One sentence of a list of things, for Python and for Rust."""

_THING = re.sub("[?]P<[a-z]+>", "", THING_PATTERN)
# Models begin answers with a space, and a caption goes on about the path: forbidden to, a model would invent a thing.
THINGS_FORM = Regex(
    f" ?({re.escape(NOTHING)}|{_THING}( {_THING}){{0,{MOST_THINGS - 1}}})( the path is ({'|'.join(PATHS)})[.])?"
)


def target_from_text(text: str) -> str:
    """The target that a user means by ``text``, in the form models were shown: lower case, one space, no article.

    ``BadQuestion`` as in ``checked_target``.
    """
    return checked_target(re.sub(r"^(an?|the) ", "", " ".join(text.lower().split())))


def question_about(card: ModelCard, target: str) -> str:
    """The card's find question about ``target``, which is checked as in ``target_from_text``.

    ``BadQuestion``, too, for words that a model of few words was never taught, alone or at the end of a target: it
    would see them anywhere, or nowhere.
    """
    name = target_from_text(target)
    unknown = [word for word in name.split() if card.target_words and word not in card.target_words]
    if unknown:
        raise BadQuestion(
            f"the model does not know {', '.join(map(repr, unknown))} of the target '{name}': "
            f"name a thing in these words: {', '.join(card.target_words)}"
        )
    last = name.split()[-1]
    if card.target_names and last not in card.target_names:
        raise BadQuestion(
            f"the model knows '{last}' only before what it names: end the target '{name}' with one of "
            f"{', '.join(card.target_names)}, for example '{name} {card.target_names[-1]}'"
        )
    return card.find_prompt.replace("{target}", name)
