"""A text decoder and its embedding table: from tokens and a cache to the logits of the next token."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.runtime.kv_cache import KvCache, KvLayout
from vlm_ros.runtime.runner import Runner, Tensors

Embeddings = NDArray[np.generic]
"""Of shape (1, tokens, width), in the decoder's own floating-point type."""

Logits = NDArray[np.float32]
"""Of shape (vocabulary,)."""

_OPTIONAL_INPUTS = {"attention_mask", "position_ids"}


class Decoder:
    """The graphs ``embed_tokens`` and ``decoder_model_merged`` of one model, both active.

    It keeps nothing between two calls, so any number of answers may be decoded in turns.
    """

    def __init__(self, embed: Runner, decoder: Runner, *, context_tokens: int) -> None:
        self._embed = embed
        self._decoder = decoder
        self._layout = KvLayout.from_runner(decoder)
        self._optional = _OPTIONAL_INPUTS & set(decoder.inputs)
        self.context_tokens = context_tokens
        _check_inputs(decoder, self._layout)

    @property
    def vocabulary_size(self) -> int | None:
        """How many tokens have logits, ``None`` where the graph does not tell."""
        size = self._decoder.outputs["logits"].shape[-1]
        return size if isinstance(size, int) else None

    @property
    def embeddings_dtype(self) -> np.dtype[np.generic]:
        """The type of ``Embeddings``."""
        return self._decoder.inputs["inputs_embeds"].dtype

    def embed(self, tokens: Sequence[int]) -> Embeddings:
        """The embeddings of ``tokens``."""
        spec = self._embed.inputs["input_ids"]
        numbers = np.asarray([tokens], spec.dtype)
        return self._embed.run({"input_ids": numbers})["inputs_embeds"]

    def begin(self, fixed: Tensors | None = None) -> KvCache:
        """The cache before the first token; ``fixed`` is what it says of an encoder's tokens, where there is one."""
        return self._layout.empty(fixed)

    def step(self, embeddings: Embeddings, cache: KvCache) -> tuple[Logits, KvCache]:
        """The logits after the last of ``embeddings``, which follow ``cache``, and the cache from then on."""
        tokens = embeddings.shape[1]
        feeds = {"inputs_embeds": embeddings, **cache.feeds}
        for name in self._optional:
            feeds[name] = self._positions(name, cache.tokens, tokens)
        outputs = self._decoder.run(feeds, keep=self._layout.present.values())
        logits = np.asarray(outputs["logits"])[0, -1].astype(np.float32, copy=False)
        return logits, self._layout.next(cache, outputs, tokens)

    def _positions(self, name: str, seen: int, tokens: int) -> NDArray[np.generic]:
        dtype = self._decoder.inputs[name].dtype
        if name == "attention_mask":
            return np.ones((1, seen + tokens), dtype)
        return np.arange(seen, seen + tokens, dtype=dtype)[np.newaxis]


class Branch:
    """One line of tokens that grows from a shared cache: all that changes while an answer is decoded.

    ``open_cache`` gives the cache to start from; it is called at the first ``feed``.
    """

    def __init__(self, decoder: Decoder, open_cache: Callable[[], KvCache]) -> None:
        self._decoder = decoder
        self._open_cache = open_cache
        self._cache: KvCache | None = None

    def feed(self, tokens: Sequence[int]) -> Logits:
        """The logits of the token that follows ``tokens``, which follow all that were fed before."""
        cache = self._open_cache() if self._cache is None else self._cache
        logits, self._cache = self._decoder.step(self._decoder.embed(tokens), cache)
        return logits

    @property
    def room(self) -> int:
        """How many more tokens the context takes."""
        return self._decoder.context_tokens - (self._cache.tokens if self._cache else 0)


def _check_inputs(decoder: Runner, layout: KvLayout) -> None:
    unknown = set(decoder.inputs) - {"inputs_embeds", *_OPTIONAL_INPUTS, *layout.past, *layout.fixed}
    missing = ({"inputs_embeds"} - set(decoder.inputs)) | ({"logits"} - set(decoder.outputs))
    if unknown or missing:
        raise BadBundle(
            f"the decoder graph lacks {sorted(missing)} and has the inputs {sorted(unknown)}, which nobody feeds: "
            "export it with inputs_embeds, attention_mask, position_ids and a cache"
        )
