"""One check of a graph's inputs, so that every runner refuses the same feeds in the same words."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from vlm_ros.runtime.runner import Dimension, Tensors, TensorSpec


def check_feeds(specs: Mapping[str, TensorSpec], feeds: Tensors) -> None:
    """``ValueError`` naming the first input of ``feeds`` that is missing, unknown, mistyped or misshapen."""
    if feeds.keys() != specs.keys():
        _refuse_names(specs, feeds)
    for name, spec in specs.items():
        array = feeds[name]
        if getattr(array, "dtype", None) != spec.dtype:
            raise ValueError(f"input '{name}' is {getattr(array, 'dtype', type(array).__name__)}: give {spec.dtype}")
        if not fits(array.shape, spec.shape):
            raise ValueError(f"input '{name}' has shape {array.shape}: give {spec.shape}")


def _refuse_names(specs: Mapping[str, TensorSpec], feeds: Tensors) -> None:
    missing = [name for name in specs if name not in feeds]
    unknown = [name for name in feeds if name not in specs]
    faults = [f"{fault} {names}" for fault, names in (("missing", missing), ("unknown", unknown)) if names]
    raise ValueError(f"inputs {' and '.join(faults)}: this graph takes {list(specs)}")


def fits(shape: tuple[int, ...], wanted: tuple[Dimension, ...]) -> bool:
    """Whether a tensor of ``shape`` may go where a graph says ``wanted``."""
    return len(shape) == len(wanted) and all(shape[axis] == size for axis, size in _fixed(wanted))


@lru_cache(maxsize=1024)
def _fixed(wanted: tuple[Dimension, ...]) -> tuple[tuple[int, int], ...]:
    """The axes whose size ``wanted`` fixes, and the size: asked for every tensor of every token."""
    return tuple((axis, size) for axis, size in enumerate(wanted) if isinstance(size, int))
