"""Which models a robot runs: the one that is asked, and the small one that decides when."""

from __future__ import annotations

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.places import find_bundle

GATE_PRECISION = "fp32"
"""A gate is small, and its cosines are compared with thresholds."""

Served = tuple[Bundle, str]
"""A model, and the precision that it runs at."""


def models_served(model: str, precision: str, gate_model: str) -> tuple[Served, ...]:
    """The ``model`` and, where one is named, the ``gate_model``; ``BadBundle`` naming one that is not there."""
    named = [(model, precision), *([(gate_model, GATE_PRECISION)] if gate_model else [])]
    return tuple((Bundle(find_bundle(name)), chosen) for name, chosen in named)
