"""The state diagram of a page: ``python -m vlm_ros.navigation.diagram ARCHITECTURE.md`` brings it up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from vlm_ros.navigation.states import ENDS, TRANSITIONS, State, Transition

_FENCE = re.compile(r"```mermaid\nstateDiagram-v2\n.*?```", re.DOTALL)


def diagram_from_transitions() -> str:
    """All modes as one fenced Mermaid diagram."""
    lines = ["```mermaid", "stateDiagram-v2"]
    for mode, transitions in TRANSITIONS.items():
        lines += [f"    state {mode} {{", *_lines_of_mode(mode, transitions), "    }"]
    return "\n".join([*lines, "```"])


def with_diagram(page: str) -> str:
    """``page`` with the diagram in place of the one it holds; ``ValueError`` where it holds none, or several."""
    if len(_FENCE.findall(page)) != 1:
        raise ValueError("the page must hold exactly one Mermaid state diagram to replace")
    return _FENCE.sub(lambda _: diagram_from_transitions(), page)


def _lines_of_mode(mode: str, transitions: tuple[Transition, ...]) -> list[str]:
    """States of different modes are different nodes, so each carries its mode in front."""
    states = [state for state in State if any(state in (step.before, step.after) for step in transitions)]
    names = [f'        state "{state.value}" as {mode}_{state.value}' for state in states]
    arrows = [f"        {mode}_{step.before.value} --> {mode}_{step.after.value}: {step.when}" for step in transitions]
    ends = [f"        {mode}_{state.value} --> [*]" for state in states if state in ENDS]
    return [*names, f"        [*] --> {mode}_{State.LOOKING.value}", *arrows, *ends]


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(with_diagram(path.read_text()))
