"""Ask a frame about the target, the path ahead, and the things it shows."""

from __future__ import annotations

from vlm_ros.core.card import ModelCard
from vlm_ros.core.percept import Percept, unseen
from vlm_ros.core.things import ThingsSeen
from vlm_ros.language.prompts import FIND_FORM, PATH_FORM, THINGS_FORM, question_about
from vlm_ros.language.reading import percept_from_answers, percept_from_path, things_from_answer
from vlm_ros.models.finding import Finder
from vlm_ros.models.model import Observation, Stop, never


def perceive(
    observation: Observation, target: str, card: ModelCard, *, deadline_s: float, stop: Stop = never
) -> Percept:
    """What the frame shows of ``target``, within ``deadline_s`` seconds for both questions together.

    Unreadable where time runs out or ``stop()`` says so. ``BadQuestion`` for a target nobody can ask about.
    """
    if isinstance(observation, Finder):
        return observation.find(target, deadline_s=deadline_s, stop=stop)
    find = observation.ask(question_about(card, target), FIND_FORM, deadline_s=deadline_s, stop=stop)
    if not find.complete:
        return percept_from_answers(target, find, None)
    path = observation.ask(card.path_prompt, PATH_FORM, deadline_s=deadline_s - find.total_s, stop=stop)
    return percept_from_answers(target, find, path, card.path_threshold)


def perceive_path(observation: Observation, card: ModelCard, *, deadline_s: float, stop: Stop = never) -> Percept:
    """What the frame shows of the path ahead, where there is no target; unreadable as in ``perceive``.

    Unknown where the model only finds things: nobody drives ahead on that.
    """
    if isinstance(observation, Finder):
        return unseen("", observation.frame.stamp_ns)
    path = observation.ask(card.path_prompt, PATH_FORM, deadline_s=deadline_s, stop=stop)
    return percept_from_path(path, card.path_threshold)


def perceive_things(
    observation: Observation, card: ModelCard, *, deadline_s: float, stop: Stop = never
) -> ThingsSeen | None:
    """The things that the frame shows; ``None`` where the answer was cut, or the model only finds things.

    ``BadQuestion`` for a model that cannot be held to the form of a list.
    """
    if isinstance(observation, Finder):
        return None
    return things_from_answer(observation.ask(card.things_prompt, THINGS_FORM, deadline_s=deadline_s, stop=stop))
