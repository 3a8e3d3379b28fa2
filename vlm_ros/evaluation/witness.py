"""Which of a model's answers a percept is taken from, to compare them in closed loop."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from vlm_ros.core.percept import Percept
from vlm_ros.core.things import ThingsSeen


class Witness(Enum):
    """The question about the target (what robots use), the list of all things that the picture shows, or both.

    With ``BOTH`` a target is visible that both name; where it is, the question says.
    """

    QUESTION = "question"
    LIST = "list"
    BOTH = "both"


def percept_by(witness: Witness, asked: Percept, listed: ThingsSeen | None) -> Percept:
    """What ``witness`` says of the target of ``asked``; of the path, ``asked`` does.

    A list that was cut (``None``) is one without the target.
    """
    if witness is Witness.QUESTION or not asked.readable:
        return asked
    thing = next((thing for thing in listed.things if thing.name == asked.target), None) if listed else None
    if thing is None:
        return replace(asked, visible=False, bearing=None, range=None)
    return asked if witness is Witness.BOTH else replace(asked, visible=True, bearing=thing.bearing, range=thing.range)
