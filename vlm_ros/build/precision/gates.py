"""Where one projection of a graph gates another, as in SwiGLU: products of what two different weights made."""

from __future__ import annotations

from collections.abc import Iterator

from vlm_ros.build.precision.onnx_library import Model

_PROJECTIONS = ("MatMul", "Gemm")


def gated(model: Model) -> Iterator[str]:
    """The results of gates. An activation that multiplies a value with a function of itself, as GELU, is none."""
    origins: dict[str, frozenset[str]] = {}
    for node in model.graph.node:
        sources = [origins.get(name, frozenset()) for name in node.input]
        if node.op_type == "Mul" and all(sources) and sources[0].isdisjoint(sources[1]):
            yield node.output[0]
        made = frozenset(node.output) if node.op_type in _PROJECTIONS else frozenset().union(*sources)
        origins.update(dict.fromkeys(node.output, made))
