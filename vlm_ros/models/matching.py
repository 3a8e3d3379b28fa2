"""The contract of models that compare pictures with texts, and what they share."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.families import COMPARED_AT_ONCE
from vlm_ros.core.frame import RgbImage

Floats = NDArray[np.float32]

Scores = NDArray[np.float32]
"""Of shape (pictures, texts)."""

_TEXTS_KEPT = 1024
T = TypeVar("T")


@runtime_checkable
class Matcher(Protocol):
    """A model that tells how well pictures and texts go together.

    Texts that are empty, or longer than the model reads, raise ``BadQuestion``.
    """

    @property
    def exclusive(self) -> bool:
        """Whether the probabilities of a picture's texts add up to one; otherwise each pair is judged by itself."""

    def similarities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """The cosine of each picture with each text, -1 to 1: quick, and good for sorting many."""

    def probabilities(self, pictures: Sequence[RgbImage], texts: Sequence[str]) -> Scores:
        """How likely each text belongs to each picture, 0 to 1."""


@runtime_checkable
class Embedder(Protocol):
    """A model that gives every picture and every text one vector: near vectors, like things."""

    def image_embeds(self, pictures: Sequence[RgbImage]) -> Floats:
        """Vectors of length one, shape (pictures, width)."""

    def text_embeds(self, texts: Sequence[str]) -> Floats:
        """Vectors of length one, shape (texts, width); ``BadQuestion`` as in ``Matcher``."""


class TextMemory:
    """Remembers the vectors of the texts that were asked for last: a robot asks for the same ones at every picture.

    ``embed`` gives the vectors of shape (texts, ...) of a sequence of texts.
    """

    def __init__(self, embed: Callable[[Sequence[str]], Floats], capacity: int = _TEXTS_KEPT) -> None:
        self._embed = embed
        self._capacity = capacity
        self._known: OrderedDict[str, Floats] = OrderedDict()

    def __call__(self, texts: Sequence[str]) -> Floats:
        """The vectors of ``texts``, of which only the unknown ones are computed, all in one run."""
        unknown = [text for text in dict.fromkeys(texts) if text not in self._known]
        fresh = dict(zip(unknown, self._embed(unknown), strict=True)) if unknown else {}
        vectors = np.stack([fresh[text] if text in fresh else self._known[text] for text in texts])
        self._remember(dict(zip(texts, vectors, strict=True)))
        return vectors

    def _remember(self, vectors: dict[str, Floats]) -> None:
        for text, vector in vectors.items():
            self._known[text] = vector
            self._known.move_to_end(text)
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)


def unit_vectors(vectors: NDArray[np.generic]) -> Floats:
    """``vectors`` at length one along the last axis; ``BuildFailed`` where one has no direction."""
    wide = np.asarray(vectors, np.float32)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    if not np.all(np.isfinite(lengths)) or not np.all(lengths > 0.0):
        raise BuildFailed("the model gives vectors that are zero or no numbers: build it at a higher precision")
    unit: Floats = wide / lengths
    return unit


def softmax(logits: NDArray[np.floating]) -> Floats:
    """Probabilities that add up to one along the last axis."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=-1, keepdims=True), np.float32)


def in_batches(encode: Callable[[Sequence[T]], Floats], things: Sequence[T], size: int | str = "") -> Floats:
    """What ``encode`` gives for all ``things``, some at a time, so that many need no more memory than few.

    ``size`` is the first dimension of the graph's input: where it is a number, as in graphs that others exported,
    every run takes as many, the last one filled up with its last thing.
    """
    at_once = size if isinstance(size, int) else COMPARED_AT_ONCE
    batches = [things[start : start + at_once] for start in range(0, len(things), at_once)]
    missing = at_once - len(batches[-1]) if isinstance(size, int) else 0
    batches[-1] = [*batches[-1], *[batches[-1][-1]] * missing]
    return np.concatenate([encode(batch) for batch in batches])[: len(things)]
