"""The table of states: what the policies really do, and what the diagram shows."""

import random
from itertools import pairwise
from pathlib import Path

import pytest
from percepts import TARGET, config, nothing, seen

from vlm_ros.core.clock import ManualClock
from vlm_ros.core.percept import Percept
from vlm_ros.navigation.diagram import diagram_from_transitions, with_diagram
from vlm_ros.navigation.navigator import Mode, Navigator
from vlm_ros.navigation.states import ENDS, TRANSITIONS, State

PAGE = Path(__file__).parents[3] / "ARCHITECTURE.md"


def moody(chance: random.Random, at_s: float, mood: str) -> Percept:
    """An answer that mostly goes with the mood of the moment."""
    path = chance.choice(["clear", "clear", "blocked"])
    if mood == "gone" or chance.random() < 0.1:
        return nothing(path, at_s=at_s)
    return seen(chance.choice(["left", "center", "right"]), mood, path, at_s=at_s)


def states_of(mode: Mode, seed: int, steps: int = 300) -> list[State]:
    chance, clock = random.Random(seed), ManualClock()
    robot = Navigator(config(search_timeout_s=chance.choice([20.0, 60.0])))
    robot.activate()
    robot.begin(mode, TARGET)
    states, mood = [], "gone"
    for number in range(steps):
        if number % 40 == 0:
            mood = chance.choice(["gone", "far", "near"])
        if number % 4 == 3:
            robot.on_percept(moody(chance, clock.now_s, mood), clock.now_s)
        states.append(State(robot.step(clock.now_s).state))
        clock.advance(0.05)
    return states


@pytest.mark.parametrize("mode", [Mode.SEARCH, Mode.FOLLOW, Mode.EXPLORE])
def test_policies_change_states_only_as_the_table_says(mode):
    allowed = {(step.before, step.after) for step in TRANSITIONS[mode.value]}
    for seed in range(2):
        states = states_of(mode, seed)
        assert states[0] is State.LOOKING
        steps = {(before, after) for before, after in pairwise(states) if before is not after}
        assert steps <= allowed
        assert steps


def test_nothing_follows_an_end():
    assert not any(step.before in ENDS for steps in TRANSITIONS.values() for step in steps)


def test_page_shows_the_diagram_of_the_code():
    """``python -m vlm_ros.navigation.diagram ARCHITECTURE.md`` brings it up to date."""
    assert diagram_from_transitions() in PAGE.read_text()


def test_diagram_of_a_page_is_replaced_and_the_rest_stays():
    page = f"before\n{diagram_from_transitions()}\nafter".replace("sure no more", "old words")
    assert with_diagram(page) == f"before\n{diagram_from_transitions()}\nafter"


def test_page_without_a_diagram_is_refused():
    with pytest.raises(ValueError, match="exactly one"):
        with_diagram("no diagram")
