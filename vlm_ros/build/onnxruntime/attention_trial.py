"""Proof by running that a piece of a graph is causal attention.

Few operators are allowed in it, and one comparison. All else that decides who sees whom is then a sum of row,
column and sizes, so that what holds at a few sizes holds at all: a window would have to compare once more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vlm_ros.build.onnxruntime.graph_links import GraphLinks, Unlike
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.runtime.onnxruntime.growing_cache import MASK
from vlm_ros.runtime.onnxruntime.library import ort, session_options

Array = NDArray[Any]

_COMPARISON = "LessOrEqual"
_COMPUTING = ("Attention", "MatMul", "Softmax", "IsNaN", "Where", "Mul", "Add", "Sub", "And", "Range", "GatherND")
_MOVING = ("Shape", "Slice", "Concat", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand")
_HARMLESS = frozenset((*_COMPUTING, *_MOVING, _COMPARISON))
_SIZES = ((1, 0, 3), (1, 5, 1), (2, 4, 3))
"""Sequences, tokens cached and new tokens."""

_TOLERANCE = 1e-4

_WIDTH_UNIT = 8
"""ONNX Runtime's kernel takes heads of a multiple of this."""


class AttentionTrial:
    """Runs what lies between ``sources`` (new queries, keys and values by head), ``past`` and a result."""

    def __init__(self, model: Model, links: GraphLinks, sources: tuple[str, str, str], past: tuple[str, str]) -> None:
        self._model = model
        self._links = links
        self._sources = sources
        self._past = past
        self._inputs = {value.name: value for value in model.graph.input}
        self._cached_heads, self._width = self._cached_sizes()

    def heads(self, repeated_keys: str) -> tuple[int, int]:
        """How many heads queries have, as ``repeated_keys`` have, and how many are cached."""
        shape = self._run(repeated_keys, self._feeds(self._cached_heads, _SIZES[-1])).shape
        return shape[1], self._cached_heads

    def check(self, result: str, heads: tuple[int, int], scale: float = 0.0, softcap: float = 0.0) -> None:
        """``Unlike`` unless ``result`` is the causal attention of ``heads``, at ``scale`` and below ``softcap``.

        0 stands for the usual scale, and for no cap.
        """
        compared = [node for node in self._links.before(result, self._sources) if node.op_type == _COMPARISON]
        if len(compared) != 1 or heads[1] != self._cached_heads or heads[0] % heads[1]:
            raise Unlike
        for sizes in _SIZES:
            feeds = self._feeds(heads[0], sizes)
            made, wanted = self._run(result, feeds), self._attention(feeds, scale, softcap)
            if made.shape != wanted.shape or not np.allclose(made, wanted, atol=_TOLERANCE):
                raise Unlike

    def _cached_sizes(self) -> tuple[int, int]:
        """Heads and width of what is cached."""
        if not self._inputs.keys() >= {*self._past, MASK}:
            raise Unlike
        kind = self._inputs[self._past[0]].type.tensor_type
        dims = [dim.dim_value for dim in kind.shape.dim]
        if kind.elem_type != onnx.TensorProto.FLOAT or len(dims) != 4 or not (dims[1] and dims[3]):
            raise Unlike
        if dims[3] % _WIDTH_UNIT:
            raise Unlike
        return dims[1], dims[3]

    def _feeds(self, heads: int, sizes: tuple[int, int, int]) -> dict[str, Array]:
        """Random tensors for all that the piece may be fed with."""
        batch, seen, new = sizes
        draw = np.random.default_rng(0)
        shapes = dict.fromkeys(self._sources, (batch, self._cached_heads, new, self._width))
        shapes[self._sources[0]] = (batch, heads, new, self._width)
        shapes |= {
            name: (batch, self._cached_heads, seen, self._width) for name in self._inputs if name.startswith("past")
        }
        feeds = {name: draw.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        for name, value in self._inputs.items():
            if name not in feeds:
                feeds[name] = _sized(value, (batch, seen + new if name == MASK else new))
        return feeds

    def _run(self, result: str, feeds: dict[str, Array]) -> Array:
        """``result`` of ``feeds``."""
        piece = {node.output[0] for node in self._links.before(result, self._sources)}
        nodes = [node for node in self._links.nodes if node.output[0] in piece]
        if not all(self._is_harmless(node) for node in nodes):
            raise Unlike
        read = {name for node in nodes for name in node.input}
        model = onnx.helper.make_model(
            onnx.helper.make_graph(
                nodes,
                "attention",
                [_declared(name, feeds[name]) for name in feeds if name in read],
                [onnx.helper.make_empty_tensor_value_info(result)],
                [tensor for name, tensor in self._links.weights.items() if name in read],
            ),
            opset_imports=self._model.opset_import,
            ir_version=self._model.ir_version,
        )
        return _outcome(model, {name: array for name, array in feeds.items() if name in read})

    def _is_harmless(self, node: Node) -> bool:
        """Whether ``node`` can hide no comparison, and asks nothing of inputs but their sizes."""
        if node.op_type == "Cast":
            return bool(node.input[0] == MASK)
        if node.op_type == "Max":  # of shapes that are broadcast together
            return {reader.op_type for reader in self._links.readers(node.output[0])} == {"Shape"}
        others = self._inputs.keys() - {*self._past, MASK}
        return node.op_type in _HARMLESS and (node.op_type == "Shape" or others.isdisjoint(node.input))

    def _attention(self, feeds: dict[str, Array], scale: float, softcap: float) -> Array:
        """Causal attention, heads side by side."""
        query, key, value = (feeds[name] for name in self._sources)
        shared = query.shape[1] // self._cached_heads
        keys, values = (
            np.repeat(np.concatenate([feeds[past], new], axis=2), shared, axis=1)
            for past, new in zip(self._past, (key, value), strict=True)
        )
        scores = (scale or self._width**-0.5) * query @ keys.swapaxes(2, 3)
        if softcap:
            scores = softcap * np.tanh(scores / softcap)
        seen = np.tril(np.ones(scores.shape[2:], bool), scores.shape[3] - scores.shape[2])
        weights = np.where(seen, np.exp(scores - scores.max(axis=3, keepdims=True)), 0)
        mixed = (weights / weights.sum(axis=3, keepdims=True)) @ values
        flat: Array = mixed.swapaxes(1, 2).reshape(query.shape[0], query.shape[2], -1)
        return flat


def _sized(value: Any, sizes: Collection[int]) -> Array:
    """Ones of the type of ``value``, with ``sizes`` in front."""
    kind = value.type.tensor_type
    rest = [dim.dim_value or 1 for dim in kind.shape.dim][len(sizes) :]
    return np.ones((*sizes, *rest), onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type))


def _declared(name: str, array: Array) -> Any:
    kind = onnx.helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.helper.make_tensor_value_info(name, kind, [None] * array.ndim)


def _outcome(model: Model, feeds: dict[str, Array]) -> Array:
    """The only output of ``model``."""
    options = session_options(1)
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        outcome: Array = session.run(None, feeds)[0]
    except Exception as error:  # ONNX Runtime's exceptions have no base of their own
        raise Unlike from error
    return outcome
