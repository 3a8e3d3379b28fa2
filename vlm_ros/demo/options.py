"""What a demo is asked to do."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadConfig
from vlm_ros.language.prompts import question_about, target_from_text
from vlm_ros.navigation.navigator import Mode
from vlm_ros.sim.draw import NAMES, draw_scene
from vlm_ros.sim.scene import Scene

MODES = (Mode.SEARCH, Mode.FOLLOW, Mode.EXPLORE)
TIME_LIMITS_S = {Mode.SEARCH: 120.0, Mode.FOLLOW: 60.0, Mode.EXPLORE: 60.0}
"""A search ends when it is over, at the latest then; the other modes last so long."""


@dataclass(frozen=True)
class DemoOptions:
    """``target`` may be empty: what the room of ``seed`` was drawn for. ``model`` is the folder of a bundle."""

    seed: int
    target: str
    mode: Mode
    headless: bool
    out: Path
    model: Path
    time_limit_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise BadConfig(f"--seed is {self.seed}: give 0 to {2**32 - 1}")
        if not 5.0 <= self.time_limit_s <= 3600.0:
            raise BadConfig(f"--time-limit is {self.time_limit_s:g} s: give 5 to 3600")
        if self.target:
            question_about(Bundle(self.model).card, self.target)

    @property
    def named(self) -> str:
        """The target where it is something that a room can hold; else empty."""
        name = target_from_text(self.target) if self.target else ""
        return name if name in NAMES else ""


def scene_from_options(options: DemoOptions) -> Scene:
    """The room of the seed with the target in it. What no room can hold is looked for all the same, in vain."""
    scene = draw_scene(options.seed, target=options.named or None)
    if options.target and not options.named:
        return replace(scene, target=target_from_text(options.target))
    return scene


def fresh_folder() -> Path:
    """A folder of this moment's own below the current one."""
    return Path("demo_out", time.strftime("%Y-%m-%d_%H-%M-%S"))
