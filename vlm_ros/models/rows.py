"""How many sequences, or pictures, one run of a graph takes: what its inputs say of their first dimension."""

from __future__ import annotations

from collections.abc import Iterable

from vlm_ros.runtime.runner import TensorSpec


def rows_taken(specs: Iterable[TensorSpec], wanted: int) -> int:
    """At most ``wanted`` rows, as many as the inputs ``specs`` take at once; 1 where one of them fixes their number."""
    most = wanted
    for spec in specs:
        if not spec.shape or not isinstance(spec.shape[0], str):
            return 1
        if spec.largest is not None:
            most = min(most, spec.largest[0])
    return max(1, most)
