"""Where a graph joins cached keys or values with those of new tokens."""

from __future__ import annotations

from collections.abc import Collection

from vlm_ros.build.onnxruntime.graph_links import GraphLinks, Unlike
from vlm_ros.build.precision.onnx_library import Node

REPEATED = ("Unsqueeze", "Expand", "Reshape")
"""How keys and values come to as many heads as queries have."""


def joined(links: GraphLinks, result: str, kinds: Collection[str]) -> tuple[Node, float]:
    """Where the cache is joined with what is new, before ``kinds`` make ``result`` of it; and what they scale it by."""
    scale = 1.0
    while (node := links.maker(result, "Concat", *kinds)).op_type != "Concat":
        if node.op_type == "Mul":
            scale *= links.number(node.input[1])
        result = node.input[0]
    if len(node.input) != 2:
        raise Unlike
    return node, scale
