"""The keys and values that a decoder keeps of the tokens it has seen.

Names are those of the hub's ONNX repositories: the graph takes ``past_key_values.{layer}.key|value``
and gives ``present.{layer}.key|value``, each of shape (batch, heads, tokens, head size). A decoder
that also looks at what an encoder gave takes ``cross_key_values.{layer}.key|value``, which never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.runner import Runner, Tensors, TensorSpec

_PAST = "past_key_values."
_PRESENT = "present."
_CROSS = "cross_key_values."


@dataclass(frozen=True)
class KvCache:
    """What a decoder knows of ``tokens`` tokens, as the feeds of its next run.

    Nobody writes into it: a run gives a new one. Several questions may start from the same cache. On a
    device its tensors stay there, and the memory of a cache that nobody holds any more serves a later one.
    """

    tokens: int
    feeds: Tensors


@dataclass(frozen=True)
class KvLayout:
    """The cache tensors of one decoder graph; ``present`` gives each past input the output that continues it.

    ``fixed`` are inputs that a cache begins with and keeps as they are: what the encoder's tokens look like.
    """

    past: Mapping[str, TensorSpec]
    present: Mapping[str, str]
    fixed: frozenset[str] = frozenset()

    @classmethod
    def from_runner(cls, decoder: Runner) -> KvLayout:
        """The layout of an active ``decoder``; ``BadBundle`` where its inputs and outputs do not pair up."""
        past = {name: spec for name, spec in decoder.inputs.items() if name.startswith(_PAST)}
        present = {name: _PRESENT + name[len(_PAST) :] for name in past}
        missing = sorted(set(present.values()) - set(decoder.outputs))
        if not past or missing:
            raise BadBundle(
                f"the decoder has {len(past)} cache inputs and lacks the outputs {missing}: "
                f"export it with inputs '{_PAST}0.key' and outputs '{_PRESENT}0.key', and so on"
            )
        for spec in past.values():
            _check_spec(spec)
        fixed = frozenset(name for name in decoder.inputs if name.startswith(_CROSS))
        return cls(past, present, fixed)

    @property
    def layers(self) -> int:
        """How many layers keep a key and a value."""
        return len({name.split(".")[1] for name in self.past})

    def empty(self, fixed: Tensors | None = None) -> KvCache:
        """The cache before the first token, for one sequence; ``fixed`` holds what it begins with."""
        return KvCache(0, {**{name: _empty(spec) for name, spec in self.past.items()}, **(fixed or {})})

    def next(self, cache: KvCache, outputs: Tensors, tokens: int) -> KvCache:
        """The cache after a run over ``tokens`` more tokens that gave ``outputs``."""
        grown = {past: outputs[present] for past, present in self.present.items()}
        return KvCache(cache.tokens + tokens, {**grown, **{name: cache.feeds[name] for name in self.fixed}})


def _check_spec(spec: TensorSpec) -> None:
    if len(spec.shape) != 4 or isinstance(spec.shape[1], str) or isinstance(spec.shape[3], str):
        raise BadBundle(
            f"the decoder's '{spec.name}' has shape {spec.shape}: "
            f"export it as (batch, heads, tokens, head size) with fixed heads and head size"
        )


def _empty(spec: TensorSpec) -> NDArray[np.generic]:
    _, heads, _, head_size = spec.shape
    return np.empty((1, int(heads), 0, int(head_size)), spec.dtype)
