"""The embedding table of a decoder as a graph, whatever its tensors are called and whatever type it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.feeds import fits
from vlm_ros.runtime.runner import Array, Runner, TensorSpec

Embeddings = NDArray[np.generic]
"""Of shape (1, tokens, width), in the decoder's own floating-point type."""

_ANY_TOKENS = -1
"""A length that no graph fixes."""


@dataclass(frozen=True)
class Embedded:
    """``tokens`` of a prompt and their ``embeddings``."""

    tokens: Sequence[int]
    embeddings: Embeddings


class TokenEmbedding:
    """Embeddings of tokens and pictures, in the type that the decoder takes.

    Some graphs put the picture's features in place themselves: they take these beside the token numbers.
    """

    def __init__(self, runner: Runner, dtype: np.dtype[np.generic]) -> None:
        self._runner = runner
        self._dtype = dtype
        self._tokens = _token_numbers(runner)
        others = [spec for spec in runner.inputs.values() if spec is not self._tokens]
        self._features = _features(others)
        self._output = _embeddings(runner)

    def of_tokens(self, tokens: Sequence[int]) -> Embeddings:
        """The embeddings of ``tokens``."""
        feeds = {self._tokens.name: np.asarray([tokens], self._tokens.dtype)}
        if self._features is not None:
            feeds[self._features.name] = _shaped(np.zeros((0, 1)), self._features)
        return self._run(feeds)

    def of_image(self, features: Array, image_id: int) -> Embeddings:
        """What stands for a picture of ``features`` (any, tokens, width), whose place the token ``image_id`` marks."""
        flat = features.reshape(-1, features.shape[-1])
        if self._features is None:
            return flat[np.newaxis].astype(self._dtype, copy=False)
        numbers = np.full((1, len(flat)), image_id, self._tokens.dtype)
        return self._run({self._tokens.name: numbers, self._features.name: _shaped(flat, self._features)})

    def _run(self, feeds: dict[str, Array]) -> Embeddings:
        return self._runner.run(feeds)[self._output].astype(self._dtype, copy=False)


def _token_numbers(runner: Runner) -> TensorSpec:
    found = [spec for spec in runner.inputs.values() if np.issubdtype(spec.dtype, np.integer)]
    if len(found) != 1:
        raise BadBundle(
            f"the embedding table takes {list(runner.inputs)}, not one input of token numbers: export it so"
        )
    if len(found[0].shape) != 2:
        raise BadBundle(
            f"the embedding table takes '{found[0].name}' of shape {found[0].shape}: export it as (batch, sequence)"
        )
    if not fits((1, _ANY_TOKENS), found[0].shape):
        raise BadBundle(
            f"the embedding table takes '{found[0].name}' of shape {found[0].shape}, and prompts are of any length: "
            "export it with a dynamic batch and sequence length"
        )
    return found[0]


def _embeddings(runner: Runner) -> str:
    """The output that looks most like a vector for each token."""

    def unlike(spec: TensorSpec) -> tuple[bool, bool, bool]:
        return not np.issubdtype(spec.dtype, np.floating), len(spec.shape) != 3, "embed" not in spec.name

    return min(runner.outputs.values(), key=unlike).name


def _features(others: Sequence[TensorSpec]) -> TensorSpec | None:
    if not others:
        return None
    if len(others) > 1 or "feature" not in others[0].name and "embed" not in others[0].name:
        raise BadBundle(
            f"the embedding table also takes {[spec.name for spec in others]}, which nobody feeds: "
            "export it with input_ids, or with input_ids and image_features"
        )
    return others[0]


def _shaped(flat: Array, spec: TensorSpec) -> Array:
    """``flat`` (tokens, width) as the graph takes it; of no tokens, its width is the graph's own."""
    width = spec.shape[-1] if isinstance(spec.shape[-1], int) else flat.shape[-1]
    return flat.reshape(*([1] * (len(spec.shape) - 2)), len(flat), width).astype(spec.dtype, copy=False)
