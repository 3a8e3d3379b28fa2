"""From the model's answers to a percept."""

from __future__ import annotations

import re

from vlm_ros.core.answer import Answer
from vlm_ros.core.percept import PathAhead, Percept, Range, unreadable, unseen
from vlm_ros.core.things import Thing, ThingsSeen
from vlm_ros.language.prompts import PATHS, PLACES, POSITIONS, THING_PATTERN, THINGS_FORM, UNSEEN


def percept_from_answers(target: str, find: Answer, path: Answer | None, path_threshold: float = 0.5) -> Percept:
    """What ``find`` and ``path`` say of ``target``; ``path`` is ``None`` where nobody asked.

    ``path_threshold`` is the model card's.

    Answers are compared whole, never searched: one that is cut, or is not word for word among those that
    were allowed, gives an unreadable percept. Its confidence is that of ``find``.
    """
    ahead = PathAhead.UNKNOWN if path is None else _path_from_answer(path, path_threshold)
    if not find.complete or ahead is None:
        return unreadable(target, find.stamp_ns)
    if find.text == UNSEEN:
        return unseen(target, find.stamp_ns, ahead, find.confidence)
    if find.text not in POSITIONS:
        return unreadable(target, find.stamp_ns)
    bearing, range_ = POSITIONS[find.text]
    return Percept(target, True, bearing, range_, ahead, find.confidence, find.stamp_ns)


def percept_from_path(path: Answer, path_threshold: float = 0.5) -> Percept:
    """What ``path`` says where nobody looks for a target; its confidence is that of ``path``."""
    ahead = _path_from_answer(path, path_threshold)
    return unreadable("", path.stamp_ns) if ahead is None else unseen("", path.stamp_ns, ahead, path.confidence)


def things_from_answer(answer: Answer) -> ThingsSeen | None:
    """The things that ``answer`` names; ``None`` where it was cut or is not word for word a list.

    What a list says of the path is left to the question about the path. Of two things with one name the first
    counts, which is the larger.
    """
    if not answer.complete or not re.fullmatch(THINGS_FORM.pattern, answer.text):
        return None
    named: dict[str, Thing] = {}
    for found in re.finditer(THING_PATTERN, answer.text):
        thing = Thing(found["name"], PLACES[found["place"]], Range(found["range"]))
        named.setdefault(thing.name, thing)
    return ThingsSeen(tuple(named.values()), answer.confidence, answer.stamp_ns)


def _path_from_answer(path: Answer, path_threshold: float) -> PathAhead | None:
    """``None`` for what is no answer; blocked only where that is likely enough."""
    ahead = PATHS.get(path.text) if path.complete else None
    doubtful = ahead is PathAhead.BLOCKED and path.confidence < path_threshold
    return PathAhead.CLEAR if doubtful else ahead
