"""Which shapes an engine is tuned for, from what the dimensions of its graph are called.

Our exports say ``batch``, ``sequence``, ``past`` and ``total``; repositories on the hub say
``batch_size``, ``sequence_length``, ``past_sequence_length`` and ``total_sequence_length``, or a sum of two.
A decoder that looks at what an encoder has read calls the length of that ``encoder`` something, and vision encoders
over pictures of any shape call theirs ``patch`` something. Some leave the channels, height and width of a picture open,
which are always the same.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from vlm_ros.build.image_tokens import image_tokens
from vlm_ros.core.context import context_tokens
from vlm_ros.core.errors import BuildFailed
from vlm_ros.core.families import batch_of

_WORDS = (
    ("patches", ("patch",)),
    ("read", ("encoder",)),
    ("past", ("past",)),
    ("batch", ("batch",)),
    ("channels", ("channel",)),
    ("side", ("height", "width")),
    ("tokens", ("seq", "token")),
)
"""What a dimension is, by the first of these that its name holds."""

_PATCHES = 16
"""Patches that are merged to one token are 4 or 16: pictures have whole numbers of either."""

Sizes = tuple[int, int, int]
"""The smallest, the usual and the largest size of a dimension."""


@dataclass(frozen=True)
class Limits:
    """The largest shapes that engines take; memory grows with them.

    ``prompt_tokens`` bounds one run of the decoder, image included, and ``context_tokens`` what it may have
    seen before. ``step_tokens`` is how many tokens a run may have to count as decoding: more than one where a
    constraint forces the next ones. ``read_tokens`` bounds what an encoder may have read. ``side_px`` is the side of
    every picture, 0 where nobody knows it.
    """

    batch: int = 1
    prompt_tokens: int = 1024
    context_tokens: int = 2048
    step_tokens: int = 8
    read_tokens: int = 1024
    side_px: int = 0

    def __str__(self) -> str:
        return (
            f"batch {self.batch}, prompt {self.prompt_tokens}, context {self.context_tokens}, "
            f"step {self.step_tokens}, read {self.read_tokens}, side {self.side_px}"
        )


def limits_from_config(config: Mapping[str, Any]) -> Limits:
    """Limits of the model with this ``config.json``: its context, and prompts of one image and 1024 tokens.

    Families that compare run several pictures or texts at once.
    """
    context = context_tokens(config)
    prompt = Limits.prompt_tokens + int(config.get("image_seq_length") or 0)
    tokens, side_px = min(prompt, context), (config.get("vision_config") or {}).get("image_size")
    return Limits(
        batch=batch_of(config),
        prompt_tokens=tokens,
        context_tokens=context,
        read_tokens=max(tokens, image_tokens(config)),
        side_px=side_px if isinstance(side_px, int) else 0,
    )


def profiles_of(dimensions: Collection[str], limits: Limits) -> list[Mapping[str, Sizes]]:
    """One set of sizes by dimension name for each profile, the most special first.

    A graph with a cache gets two: for decoding, and for prompts, of which longer ones go through it in pieces.
    Others take a whole context at once. ``BuildFailed`` naming a dimension that
    nobody knows.
    """
    kinds = {name: _kind(name, limits) for name in dimensions}
    batch = (1, 1, limits.batch)
    prompt = (1, max(1, limits.prompt_tokens // 2), limits.prompt_tokens)
    read = (1, max(1, limits.read_tokens // 2), limits.read_tokens)
    patches = (_PATCHES, _PATCHES * max(1, prompt[1] // 4), _PATCHES * max(1, prompt[2] // 4))
    channels, side = (3, 3, 3), (limits.side_px,) * 3
    same = {"batch": batch, "read": read, "patches": patches, "channels": channels, "side": side}
    half = max(1, limits.context_tokens // 2)
    if "past" not in kinds.values():
        return [_by_name(kinds, same, (1, half, limits.context_tokens), (0, 0, 0))]
    step = (1, 1, min(limits.step_tokens, limits.prompt_tokens))
    decoding = _by_name(kinds, same, step, (1, half, limits.context_tokens))
    return [decoding, _by_name(kinds, same, prompt, (0, 1, limits.context_tokens))]


def _by_name(kinds: Mapping[str, str], same: Mapping[str, Sizes], tokens: Sizes, past: Sizes) -> Mapping[str, Sizes]:
    # TensorRT checks the shapes at all three sizes: the mask must be as long as past and tokens together.
    low, usual, high = (seen + new for seen, new in zip(past, tokens, strict=True))
    sizes = {**same, "tokens": tokens, "past": past, "total": (low, usual, high)}
    return {name: sizes[kind] for name, kind in kinds.items()}


def _kind(name: str, limits: Limits) -> str:
    if "total" in name or "+" in name:
        return "total"
    for kind, words in _WORDS:
        if any(word in name for word in words) and (kind != "side" or limits.side_px):
            return kind
    raise BuildFailed(
        f"the graph has a dynamic dimension '{name}', whose sizes nobody knows: export it with a fixed size, "
        "or call it batch, sequence, past, total or encoder_sequence"
    )
