"""A text decoder and its embedding table: from tokens and a cache to the logits of the next token."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.core.errors import BadBundle
from vlm_ros.models.decoder_inputs import ROW_FEEDS, Moment, feeds_of
from vlm_ros.models.embedding import Embeddings, TokenEmbedding
from vlm_ros.models.rows import rows_taken
from vlm_ros.runtime.kv_cache import KvCache, KvLayout
from vlm_ros.runtime.paired import USE_CACHE
from vlm_ros.runtime.prompt_pieces import BRANCH_TOKENS, piece_tokens
from vlm_ros.runtime.runner import Array, Runner, Tensors, TensorSpec

Logits = NDArray[np.float32]
"""Of shape (vocabulary,)."""


class Decoder:
    """The graphs ``embed_tokens`` and ``decoder_model_merged`` of one model, both active.

    It keeps nothing between two calls, so any number of answers may be decoded in turns.
    """

    def __init__(self, embed: Runner, decoder: Runner, *, context_tokens: int) -> None:
        self._decoder = decoder
        self._layout = KvLayout.from_runner(decoder)
        self._embeds = _embeds_name(decoder, self._layout)
        _check_sizes(decoder.inputs[self._embeds])
        self._logits = _logits_name(decoder, self._layout)
        self._feeds = feeds_of(decoder.inputs, {self._embeds, *self._layout.past, *self._layout.fixed})
        self._embed = TokenEmbedding(embed, self.embeddings_dtype)
        self.context_tokens = context_tokens

    @property
    def vocabulary_size(self) -> int | None:
        """How many tokens have logits, ``None`` where the graph does not tell."""
        size = self._decoder.outputs[self._logits].shape[-1]
        return size if isinstance(size, int) else None

    @property
    def width(self) -> int | None:
        """How long an embedding is, ``None`` where the graph does not tell."""
        size = self._decoder.inputs[self._embeds].shape[-1]
        return size if isinstance(size, int) else None

    @property
    def embeddings_dtype(self) -> np.dtype[np.generic]:
        """The type of ``Embeddings``."""
        return self._decoder.inputs[self._embeds].dtype

    @property
    def takes_positions_in_rows(self) -> bool:
        """Whether positions have rows for time, height and width, as Qwen2-VL's have."""
        positions = self._decoder.inputs.get("position_ids")
        return positions is not None and len(positions.shape) == 3

    def embed(self, tokens: Sequence[int]) -> Embeddings:
        """The embeddings of ``tokens``."""
        return self._embed.of_tokens(tokens)

    def embed_image(self, features: Array, image_id: int) -> Embeddings:
        """What stands in the prompt for a picture of ``features``, whose place the token ``image_id`` marks."""
        return self._embed.of_image(features, image_id)

    def begin(self) -> KvCache:
        """The cache before the first token."""
        return self._layout.empty()

    def step(self, embeddings: Embeddings, cache: KvCache, positions: Array | None = None) -> tuple[Logits, KvCache]:
        """The logits after the last of ``embeddings``, which follow ``cache``, and the cache from then on.

        ``positions`` (rows, tokens) are given where they do not simply count on; the next token follows the largest.
        """
        logits, now = self._in_pieces(embeddings, cache, (0,), positions)
        if positions is not None:
            now = dataclasses.replace(now, shift=int(positions.max()) + 1 - now.tokens)
        return logits[0], now

    def _in_pieces(
        self, embeddings: Embeddings, cache: KvCache, padding: tuple[int, ...], positions: Array | None = None
    ) -> tuple[NDArray[np.float32], KvCache]:
        """The last logits of each row, and the cache from then on."""
        tokens, start, now = embeddings.shape[1], 0, cache
        while start < tokens:
            end = min(tokens, start + self._most_tokens(now, len(embeddings)))
            rows = None if positions is None else positions[:, start:end]
            moment = Moment(now.tokens, end - start, now.position, rows, padding)
            logits, now = self._run(embeddings[:, start:end], now, moment)
            start = end
        return logits, now

    def _most_tokens(self, cache: KvCache, rows: int) -> int:
        """How many tokens of each of ``rows`` prompts one run after ``cache`` takes; longer ones go in pieces.

        Branches made for decoding were traced with one token, and many have no causal mask for more. Engines took the
        memory of their largest run when they were loaded.
        """
        if USE_CACHE in self._feeds:
            return 1 if cache.tokens else BRANCH_TOKENS
        largest = self._decoder.inputs[self._embeds].largest
        return piece_tokens(cache.tokens, rows) if largest is None else largest[1]

    def step_rows(
        self, embeddings: Embeddings, cache: KvCache, padding: tuple[int, ...]
    ) -> tuple[NDArray[np.float32], KvCache]:
        """As ``step`` for several sequences: logits of shape (rows, vocabulary) for embeddings (rows, tokens, width).

        The first ``padding[row]`` tokens of a row count for nothing. At most ``most_rows``.
        """
        return self._in_pieces(embeddings, cache, padding)

    def begin_rows(self, rows: int, fixed: Tensors = MappingProxyType({})) -> KvCache:
        """The cache before the first token of ``rows`` sequences; ``fixed`` is what it says of an encoder's tokens."""
        own = {name: np.repeat(np.asarray(empty), rows, axis=0) for name, empty in self._layout.begin.items()}
        return KvCache(0, {**own, **fixed})

    def kept_rows(self, cache: KvCache, rows: Sequence[int]) -> KvCache:
        """``cache`` with the sequences ``rows`` alone, by way of the host's memory."""
        return KvCache(cache.tokens, {name: np.asarray(tensor)[list(rows)] for name, tensor in cache.feeds.items()})

    def most_rows(self, wanted: int) -> int:
        """How many of ``wanted`` sequences the graph takes at once: a mask must hide what fills the shorter ones up.

        Graphs that keep states and count positions by themselves hide it from attention alone.
        """
        inputs = self._decoder.inputs
        by_row = all(name in ROW_FEEDS and len(inputs[name].shape) == 2 for name in self._feeds)
        if "attention_mask" not in self._feeds or not by_row:
            return 1
        if self._layout.keeps_states and "position_ids" not in self._feeds:
            return 1
        names = (self._embeds, *self._layout.past, *self._layout.fixed, *self._feeds)
        return rows_taken((inputs[name] for name in names), wanted)

    def _run(self, embeddings: Embeddings, cache: KvCache, moment: Moment) -> tuple[NDArray[np.float32], KvCache]:
        """The last logits of each row, and the cache from then on."""
        feeds = {self._embeds: embeddings, **cache.feeds}
        for name, feed in self._feeds.items():
            feeds[name] = feed(self._decoder.inputs[name], moment)
        outputs = self._decoder.run(feeds, keep=self._layout.present.values())
        return self._last_logits(outputs[self._logits]), self._layout.next(cache, outputs, moment.tokens)

    @staticmethod
    def _last_logits(output: Any) -> NDArray[np.float32]:
        logits = np.asarray(output)
        if logits.ndim == 2:
            return logits.astype(np.float32, copy=False)
        of_all = logits.shape[1] > 1  # a view would hold those of the whole prompt
        return logits[:, -1].astype(np.float32, copy=of_all)


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


def _embeds_name(decoder: Runner, layout: KvLayout) -> str:
    """The input that takes embeddings, whatever it is called."""
    others = [name for name in decoder.inputs if name not in layout.past]
    names = [name for name in others if "embed" in name] or [name for name in others if "hidden" in name]
    if len(names) != 1:
        raise BadBundle(
            f"the decoder takes {others} beside its cache, none or several of them embeddings: "
            "export it with inputs_embeds, attention_mask, position_ids and a cache"
        )
    return names[0]


def _check_sizes(embeds: TensorSpec) -> None:
    if len(embeds.shape) != 3:
        raise BadBundle(
            f"the decoder takes '{embeds.name}' of shape {embeds.shape}: export it as (batch, sequence, width)"
        )
    rows, tokens, _ = embeds.shape
    if isinstance(rows, int) and rows != 1:
        raise BadBundle(
            f"the decoder takes '{embeds.name}' of shape {embeds.shape}, {rows} prompts at once and no other number: "
            "export it with a dynamic batch, or one of 1"
        )
    if isinstance(tokens, int):
        raise BadBundle(
            f"the decoder takes '{embeds.name}' of shape {embeds.shape}, {tokens} tokens at once and no other number: "
            "export it with a dynamic sequence length"
        )


def _logits_name(decoder: Runner, layout: KvLayout) -> str:
    """The output that gives logits, whatever it is called."""
    others = [name for name in decoder.outputs if name not in layout.present.values()]
    names = [name for name in others if "logits" in name] or [name for name in others if "hidden" not in name]
    if len(names) != 1:
        raise BadBundle(f"the decoder gives {others} beside its cache, none or several of them logits: export it again")
    return names[0]
