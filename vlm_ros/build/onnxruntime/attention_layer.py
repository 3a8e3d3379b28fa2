"""Attention in one layer of a decoder, as ONNX Runtime computes it on a cache that grows in place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from vlm_ros.build.precision.onnx_library import Node, onnx

DOMAIN = "com.microsoft"
SEEN, TOTAL = "cache_seen", "cache_total"
"""The last token seen of each sequence, and all tokens: results that every layer reads."""


@dataclass(frozen=True)
class AttentionLayer:
    """What goes into it, heads side by side, and what comes out.

    ``preparing`` makes the ``sources`` (queries, keys and values) of what the graph has. ``heads`` says how many
    there are of queries and of keys.
    """

    preparing: Sequence[Node]
    sources: tuple[str, str, str]
    heads: tuple[int, int]
    past: tuple[str, str]
    present: tuple[str, str]
    result: str
    settings: Mapping[str, float] = field(default_factory=dict)

    @property
    def nodes(self) -> list[Node]:
        """Nodes that do the same on the cache itself."""
        attention = onnx.helper.make_node(
            "GroupQueryAttention",
            [*self.sources, *self.past, SEEN, TOTAL],
            [self.result, *self.present],
            name=f"{self.result}_attention",
            domain=DOMAIN,
            num_heads=self.heads[0],
            kv_num_heads=self.heads[1],
            **self.settings,
        )
        return [*self.preparing, attention]
