"""The truth of a view in the words that the demo model learns to say."""

from __future__ import annotations

from vlm_ros.core.percept import Bearing, PathAhead, Range
from vlm_ros.core.things import NOTHING, Thing
from vlm_ros.sim.truth import ViewTruth

MOST_OBJECTS = 4
"""A caption names at most this many objects, the largest first."""


def caption_from_truth(truth: ViewTruth) -> str:
    """For example ``a red ball on the left, far. the path is clear.``"""
    seen = [object_sentence(thing.name, thing.bearing, thing.range) for thing in truth.visible[:MOST_OBJECTS]]
    return " ".join([*(seen or [NOTHING]), path_sentence(truth.path)])


def object_sentence(name: str, bearing: Bearing | None, range_: Range) -> str:
    """For example ``an orange box in the center, near.``"""
    assert bearing is not None, "a visible object has a bearing"
    return Thing(name, bearing, range_).sentence


def path_sentence(path: PathAhead) -> str:
    """``the path is clear.`` or ``the path is blocked.``"""
    return f"the path is {path.value}."
