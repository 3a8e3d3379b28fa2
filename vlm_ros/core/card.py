"""What a model is to be asked, and what its answers mean."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from vlm_ros.core.agreement import GATES, Gate
from vlm_ros.core.errors import BadBundle


@dataclass(frozen=True)
class ModelCard:
    """Prompts and limits of one model. ``{target}`` in a prompt stands for the user's target.

    ``find_prompt`` is answered by ``no`` or by bearing and range (``left, near``); ``path_prompt``
    by ``clear`` or ``blocked``; ``things_prompt`` by sentences such as ``a red ball on the left, far.``, or by
    ``nothing.``; ``near_m`` is the distance at which the model says ``near``, in
    metres, 0 where nobody measured it. ``blocked`` is believed from the probability ``path_threshold`` on, 0.5
    to 1: more than 0.5 for a model that says it too readily. ``target_words`` are the words that targets are made
    of, empty for a model that knows the world at large, and ``target_names`` those of them that name a thing: a target
    ends with one (empty: with any). ``gates`` changes bounds of the gate that a precision must
    pass, ``{"q4": {"correlation": 0.99}}``; names and defaults are those of ``core.agreement``.

    A model that compares pictures with texts is shown ``find_prompt`` beside ``contrast_prompts``, what else a part
    of the picture may show. ``similarity_scale`` is what its cosines are multiplied by before they become
    probabilities, and a target counts as seen from ``find_threshold`` on, 0..1.
    """

    describe_prompt: str = "Describe the scene in one or two short sentences."
    find_prompt: str = (
        "Is there a {target} in the image? Answer 'no', or its position (left, center or right) "
        "and its distance (near or far), for example 'left, far'."
    )
    path_prompt: str = "Is the path straight ahead free to drive? Answer 'clear' or 'blocked'."
    things_prompt: str = (
        "Name the things in the image, the largest first, at most six, each like this: "
        "'a red ball on the left, far.' or 'an office chair in the center, near.' "
        "Say left, center or right, and near or far. If there are none, answer 'nothing.'"
    )
    max_tokens: int = 128
    near_m: float = 0.0
    path_threshold: float = 0.5
    target_words: Sequence[str] = ()
    target_names: Sequence[str] = ()
    contrast_prompts: Sequence[str] = ()
    similarity_scale: float = 100.0
    find_threshold: float = 0.5
    licence: str = ""
    source: str = ""
    gates: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ModelCard:
        """A card from the object in ``model_card.json``; unknown keys are refused by name."""
        known = {field.name for field in dataclasses.fields(cls)}
        unknown = sorted(set(content) - known)
        if unknown:
            raise BadBundle(f"model_card.json has unknown keys {unknown}: known are {sorted(known)}")
        defaults = cls()
        for key, value in content.items():
            _check_kind(key, value, getattr(defaults, key))
        card = cls(**content)
        if not (isinstance(card.path_threshold, float) and 0.5 <= card.path_threshold < 1.0):
            raise BadBundle(f"model_card.json has path_threshold {card.path_threshold!r}: give a number of 0.5 to 1")
        for precision in card.gates:
            card.gate(precision)
        return card

    def gate(self, precision: str) -> Gate:
        """What a part must keep to be used at ``precision``; ``BadBundle`` where ``gates`` makes no sense."""
        changes = self.gates.get(precision, {})
        known = {field.name for field in dataclasses.fields(Gate)}
        if precision not in GATES or not isinstance(changes, Mapping) or not known.issuperset(changes):
            raise BadBundle(
                f"model_card.json has a gate {{'{precision}': {changes}}}: "
                f"known are the precisions {sorted(GATES)} with {sorted(known)}"
            )
        return dataclasses.replace(GATES[precision], **changes)

    def to_json(self) -> dict[str, Any]:
        """The object that ``from_json`` reads."""
        return dataclasses.asdict(self)


def _check_kind(key: str, value: Any, default: Any) -> None:
    """``BadBundle`` where ``value`` of ``key`` is of another kind than its ``default``."""
    if isinstance(default, str):
        right, expected = isinstance(value, str), "a text"
    elif isinstance(default, int):
        right, expected = type(value) is int and value > 0, "a whole number from 1 on"
    elif isinstance(default, float):
        right, expected = type(value) in (int, float) and math.isfinite(value) and value >= 0, "a number from 0 on"
    elif isinstance(default, tuple):
        right = isinstance(value, (list, tuple)) and all(isinstance(text, str) for text in value)
        expected = "a list of texts"
    else:
        right, expected = isinstance(value, Mapping), "an object"
    if not right:
        raise BadBundle(f"model_card.json has {key} {value!r}: give {expected}")
