"""What a decoder is fed beside embeddings and cache: the masks, positions and switches that exporters add."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.feeds import fits
from vlm_ros.runtime.paired import USE_CACHE
from vlm_ros.runtime.runner import Array, TensorSpec


@dataclass(frozen=True)
class Moment:
    """Where a run stands: ``seen`` tokens are cached, ``tokens`` are new, the first of them at ``position``.

    ``positions`` are given where they do not simply count on: of shape (rows, tokens), for time, height and width.
    ``padding`` says of each sequence how many of its first tokens count for nothing.
    """

    seen: int
    tokens: int
    position: int
    positions: Array | None = None
    padding: tuple[int, ...] = (0,)


ROW_FEEDS = frozenset(("attention_mask", "position_ids"))
"""What is fed for several sequences at once, where it has a row for each."""

Feed = Callable[[TensorSpec, Moment], Array]

_SOME_MOMENT = Moment(seen=3, tokens=2, position=3)
"""What is fed then has no size that a graph would have fixed, but for those that never change."""


def feeds_of(inputs: Mapping[str, TensorSpec], known: Collection[str]) -> dict[str, Feed]:
    """What feeds each of ``inputs`` that is not in ``known``; ``BadBundle`` naming one that nobody feeds."""
    feeds = {}
    for name, spec in inputs.items():
        if name in known:
            continue
        if (name, len(spec.shape)) not in _FEEDS:
            raise BadBundle(
                f"the decoder takes '{name}' of shape {spec.shape} and type {spec.dtype}, which nobody feeds: "
                "export it with inputs_embeds, attention_mask, position_ids and a cache"
            )
        feeds[name] = _FEEDS[name, len(spec.shape)]
        if not fits(feeds[name](spec, _SOME_MOMENT).shape, spec.shape):
            raise BadBundle(
                f"the decoder takes '{name}' of shape {spec.shape}, and prompts are of any length: "
                "export it with a dynamic one"
            )
    return feeds


def _mask(spec: TensorSpec, moment: Moment) -> Array:
    places = np.arange(moment.seen + moment.tokens)
    return (places >= np.array(moment.padding)[:, np.newaxis]).astype(spec.dtype)


def _causal_mask(spec: TensorSpec, moment: Moment) -> Array:
    """(1, 1, new, all): true, 1 or 0.0 where a token may look, else false, 0 or as low as the type goes."""
    sees = np.tri(moment.tokens, moment.seen + moment.tokens, moment.seen, dtype=np.bool_)[None, None]
    if not np.issubdtype(spec.dtype, np.floating):
        return sees.astype(spec.dtype)
    return np.where(sees, 0, np.finfo(np.dtype(spec.dtype).name).min).astype(spec.dtype)


def _counted(spec: TensorSpec, moment: Moment) -> Array:
    return np.arange(moment.position, moment.position + moment.tokens, dtype=spec.dtype)


def _counted_row(spec: TensorSpec, moment: Moment) -> Array:
    counted = _counted(spec, moment) - np.array(moment.padding, spec.dtype)[:, np.newaxis]
    return np.maximum(counted, 0)


def _position_rows(spec: TensorSpec, moment: Moment) -> Array:
    """(rows, 1, new); where a graph wants a fourth row, it is the first and counts tokens."""
    rows = spec.shape[0] if isinstance(spec.shape[0], int) else 3
    if moment.positions is None:
        return np.broadcast_to(_counted(spec, moment), (rows, 1, moment.tokens))
    given = moment.positions.astype(spec.dtype)
    if rows == len(given) + 1:
        text = np.arange(moment.seen, moment.seen + moment.tokens, dtype=spec.dtype)
        given = np.concatenate([text[np.newaxis], given])
    return given[:, np.newaxis]


def _cached_count(spec: TensorSpec, moment: Moment) -> Array:
    return np.arange(moment.seen, moment.seen + moment.tokens, dtype=spec.dtype)


def _branch(spec: TensorSpec, moment: Moment) -> Array:
    return np.full((1,) * len(spec.shape), moment.seen > 0, spec.dtype)


def _last_only(spec: TensorSpec, moment: Moment) -> Array:
    return np.full((1,) * len(spec.shape), 1, spec.dtype)


_FEEDS: Mapping[tuple[str, int], Feed] = {
    ("attention_mask", 2): _mask,
    ("attention_mask", 4): _causal_mask,
    ("position_ids", 1): _counted,
    ("position_ids", 2): _counted_row,
    ("position_ids", 3): _position_rows,
    ("cache_position", 1): _cached_count,
    (USE_CACHE, 0): _branch,
    (USE_CACHE, 1): _branch,
    ("num_logits_to_keep", 0): _last_only,
    ("num_logits_to_keep", 1): _last_only,
    ("logits_to_keep", 0): _last_only,
    ("logits_to_keep", 1): _last_only,
}
