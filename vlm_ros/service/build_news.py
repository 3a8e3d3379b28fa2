"""What the one who builds the engines last said of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildNews:
    """``progress`` 0..1 of a build that goes on, ``None`` where none does; ``failure`` says why the last one failed."""

    progress: float | None = None
    failure: str = ""


UNHEARD = BuildNews()
