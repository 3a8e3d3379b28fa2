"""Numbers on the command line that must not be smaller than some bound."""

from __future__ import annotations

import math

from vlm_ros.core.errors import BadConfig


def at_least(least: int, option: str, value: float) -> None:
    """``BadConfig`` where the ``value`` of ``option``, as it is typed, is below ``least`` or no finite number."""
    if not (math.isfinite(value) and value >= least):
        raise BadConfig(f"{option} is {value}: give {least} or more")
