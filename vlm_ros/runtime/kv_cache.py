"""The keys, values and states that a decoder keeps of the tokens it has seen.

Names, shapes and types are those of the graph: ``cache_names`` says which output continues which input, and
``cache_shape`` what an empty cache is. A decoder that also looks at what an encoder gave takes
``cross_key_values.{layer}.key|value``, and perhaps a mask of them, which never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.cache_names import cache_pairs, layer_of
from vlm_ros.runtime.cache_shape import empty_cache, token_axis
from vlm_ros.runtime.runner import Array, DeviceTensor, Runner, Tensors, TensorSpec

_CROSS = "cross_key_values."

ENCODER_MASK = "encoder_attention_mask"
"""Which of the encoder's tokens count, (batch, encoder_sequence)."""


@dataclass(frozen=True)
class KvCache:
    """What a decoder knows of ``tokens`` tokens, as the feeds of its next run.

    Nobody writes into it: a run gives a new one. Several questions may start from the same cache. On a
    device its tensors stay there, and the memory of a cache that nobody holds any more serves a later one.
    ``shift`` is added to ``tokens`` for the position of the next one: a picture may take fewer positions
    than tokens.
    """

    tokens: int
    feeds: Tensors
    shift: int = 0

    @property
    def position(self) -> int:
        """The position of the next token."""
        return self.tokens + self.shift


@dataclass(frozen=True)
class KvLayout:
    """The cache tensors of one decoder graph; ``present`` gives each past input the output that continues it.

    ``fixed`` are inputs that a cache begins with and keeps as they are: what the encoder's tokens look like.
    """

    past: Mapping[str, TensorSpec]
    present: Mapping[str, str]
    token_axes: Mapping[str, int | None]
    begin: Tensors
    fixed: frozenset[str] = frozenset()

    @classmethod
    def from_runner(cls, decoder: Runner) -> KvLayout:
        """The layout of an active ``decoder``; ``BadBundle`` where its inputs and outputs do not pair up."""
        fixed = frozenset(name for name in decoder.inputs if name.startswith(_CROSS))
        if fixed and ENCODER_MASK in decoder.inputs:
            fixed |= {ENCODER_MASK}
        present = cache_pairs(decoder.inputs, decoder.outputs)
        pairs = {name: (decoder.inputs[name], decoder.outputs[output]) for name, output in present.items()}
        axes = {name: token_axis(*pair) for name, pair in pairs.items()}
        begin = {name: empty_cache(*pair) for name, pair in pairs.items()}
        return cls({name: past for name, (past, _) in pairs.items()}, present, axes, begin, fixed)

    @property
    def layers(self) -> int:
        """How many layers keep something."""
        return len({layer_of(name) for name in self.past})

    @property
    def keeps_states(self) -> bool:
        """Whether some layers keep states of a fixed size instead of keys and values."""
        return None in self.token_axes.values()

    def empty(self, fixed: Tensors | None = None) -> KvCache:
        """The cache before the first token, for one sequence; ``fixed`` holds what it begins with."""
        return KvCache(0, {**self.begin, **(fixed or {})})

    def next(self, cache: KvCache, outputs: Tensors, tokens: int) -> KvCache:
        """The cache after a run over ``tokens`` more tokens that gave ``outputs``."""
        total = cache.tokens + tokens
        grown = {past: outputs[present] for past, present in self.present.items()}
        if not self._holds_all(grown, total):
            grown = {past: self._appended(past, cache.feeds[past], new, total) for past, new in grown.items()}
        return KvCache(total, {**grown, **{name: cache.feeds[name] for name in self.fixed}}, cache.shift)

    @cached_property
    def _counted(self) -> str | None:
        """A tensor whose shape tells how many tokens the cache holds."""
        return next((name for name, axis in self.token_axes.items() if axis is not None), None)

    def _holds_all(self, grown: Tensors, total: int) -> bool:
        """Whether the graph gives what was cached with what is new, as nearly all do."""
        name = self._counted
        return name is None or grown[name].shape[self.token_axes[name] or 0] == total

    def _appended(self, name: str, old: Array | DeviceTensor, new: Array | DeviceTensor, total: int) -> Array:
        """What is new after what was cached, for a graph that gives the former alone."""
        axis = self.token_axes[name]
        if axis is None:
            return np.asarray(new)
        both = np.concatenate([np.asarray(old), np.asarray(new)], axis)
        if both.shape[axis] != total:
            raise BadBundle(
                f"the decoder's '{self.present[name]}' holds {new.shape[axis]} tokens of {total}: "
                "export it so that it gives the whole cache"
            )
        return both
