"""A decoder in two graphs, one for the prompt and one for all that follows, behind the face of one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.runner import Runner, TensorSpec

USE_CACHE = "use_cache_branch"
"""The input that says which of its two branches a merged decoder takes: whether there is a cache."""


class PairedRunner:
    """``decoder_model`` and ``decoder_with_past_model`` as a merged decoder, whose branch we choose."""

    def __init__(self, without_past: Runner, with_past: Runner) -> None:
        self._without_past = without_past
        self._with_past = with_past

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        """All that either graph takes, as the one for prompts says, and ``use_cache_branch``."""
        branch = TensorSpec(USE_CACHE, np.dtype(np.bool_), (1,))
        return {**self._with_past.inputs, **self._without_past.inputs, USE_CACHE: branch}

    @property
    def outputs(self) -> Mapping[str, TensorSpec]:
        """What both graphs give."""
        first, second = self._without_past.outputs, self._with_past.outputs
        if first.keys() != second.keys():
            differing = sorted(first.keys() ^ second.keys())
            raise BadBundle(f"decoder_model and decoder_with_past_model differ in the outputs {differing}: export both")
        return second

    def activate(self) -> None:
        """Load both graphs."""
        self._without_past.activate()
        self._with_past.activate()

    def run(self, feeds: Any, keep: Collection[str] = ()) -> Any:
        """The outputs of the graph that ``use_cache_branch`` chooses."""
        chosen = self._with_past if bool(np.asarray(feeds[USE_CACHE]).any()) else self._without_past
        return chosen.run({name: feeds[name] for name in chosen.inputs}, keep)

    def deactivate(self) -> None:
        """Free both."""
        self._without_past.deactivate()
        self._with_past.deactivate()
