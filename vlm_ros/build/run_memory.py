"""How much memory a graph takes while it runs, from the graph alone: weights, cache, and what lives between layers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vlm_ros.build.image_tokens import image_tokens
from vlm_ros.build.lowering.flow import layer_of
from vlm_ros.build.precision.files import read_model
from vlm_ros.build.precision.onnx_library import Model, Node, onnx
from vlm_ros.build.precision.sizes import tensor_bytes
from vlm_ros.build.prompt_memory import attention_of, prompt_bytes
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.context import context_tokens
from vlm_ros.core.errors import BadConfig
from vlm_ros.core.families import batch_of
from vlm_ros.core.onnx_files import DECODER, WITH_PAST
from vlm_ros.runtime.prompt_pieces import BRANCH_TOKENS, MOST_SCORES

_SHAPES = 64
"""Constants of so few elements may be shapes, which others follow from."""


@dataclass(frozen=True)
class RunMemory:
    """``cache_bytes`` holds what goes in and what comes out; ``activation_bytes`` the most that lives at once."""

    weight_bytes: int
    cache_bytes: int
    activation_bytes: int

    @property
    def total_bytes(self) -> int:
        """All of it."""
        return self.weight_bytes + self.cache_bytes + self.activation_bytes


def run_memory(path: Path, sizes: Mapping[str, int]) -> RunMemory:
    """What the graph at ``path`` takes where its dynamic dimensions have ``sizes``; ``BadConfig`` names one that lacks.

    ``BadBundle`` where it is no whole ONNX file. Weights count once, as they lie in the file. What shape inference
    cannot tell counts as much as the largest input of its node.
    """
    model = read_model(path, external=False)
    weights = {tensor.name: tensor_bytes(tensor.data_type, tensor.dims) for tensor in model.graph.initializer}
    known = {**_output_bytes(model, sizes), **_value_bytes(_with_sizes(model, sizes))}
    cache = sum(size for name, size in known.items() if layer_of(name) >= 0 and _is_edge(model, name))
    known = {name: 0 if layer_of(name) >= 0 or name in weights else size for name, size in known.items()}
    return RunMemory(sum(weights.values()), cache, _peak_bytes(model, known))


def bundle_memory(bundle: Bundle, precision: str, parts: Sequence[str]) -> RunMemory:
    """All ``parts`` together, over the longest context that the model takes; errors as ``run_memory``.

    Each keeps what it took for its largest run.
    """
    memories = [
        _decoder_memory(bundle, bundle.onnx(part, precision), in_two=WITH_PAST in parts)
        if part == DECODER
        else _part_memory(bundle, bundle.onnx(part, precision), seen_all=part == WITH_PAST)
        for part in parts
    ]
    return RunMemory(
        sum(memory.weight_bytes for memory in memories),
        sum(memory.cache_bytes for memory in memories),
        sum(memory.activation_bytes for memory in memories),
    )


def _part_memory(bundle: Bundle, path: Path, *, seen_all: bool) -> RunMemory:
    """Of a part that reads a whole context in one run, or its last token where it has ``seen_all`` others."""
    context, read = _context_and_read(bundle)
    return run_memory(path, sizes_at(context, read, batch_of(bundle.config), seen=context - 1 if seen_all else 0))


def _decoder_memory(bundle: Bundle, path: Path, *, in_two: bool) -> RunMemory:
    """A decoder reads a prompt in pieces: the first has the most states, the last the largest cache.

    ``in_two`` says that another graph goes on behind the first. Shape inference may lose the scores of attention on
    the way, so that they are counted by themselves as well.
    """
    context, read = _context_and_read(bundle)
    found = attention_of(path)
    attention = replace(found, pairs=BRANCH_TOKENS**2) if in_two else found
    first, last = min(context, math.isqrt(attention.pairs)), min(context, max(1, MOST_SCORES // context))
    runs = run_memory(path, sizes_at(first, read)), run_memory(path, sizes_at(context, read, seen=context - last))
    activations = max(*(run.activation_bytes for run in runs), prompt_bytes(bundle.config, attention))
    return RunMemory(runs[0].weight_bytes, runs[1].cache_bytes, activations)


def _context_and_read(bundle: Bundle) -> tuple[int, int]:
    """The longest context, and how many tokens an encoder may have read."""
    context = context_tokens(bundle.config)
    return context, max(context, image_tokens(bundle.config))


def sizes_at(tokens: int, read_tokens: int = 0, batch: int = 1, *, seen: int = 0) -> dict[str, int]:
    """The largest sizes of a run, by the names that exporters give to dimensions.

    ``read_tokens`` is what an encoder has read, of which a decoder looks at all; ``seen`` of the ``tokens`` are
    cached.
    """
    return {
        **dict.fromkeys(("batch", "batch_size"), batch),
        **dict.fromkeys(("encoder_sequence", "encoder_sequence_length"), read_tokens),
        **dict.fromkeys(("total", "total_sequence_length", "past_sequence_length + 1"), tokens),
        **dict.fromkeys(("sequence", "sequence_length"), tokens - seen),
        **dict.fromkeys(("past", "past_sequence_length"), seen),
    }


def _with_sizes(model: Model, sizes: Mapping[str, int]) -> Model:
    """``model`` without its large weights, and with sizes for all that is dynamic on its edges."""
    sized = onnx.ModelProto()
    sized.ir_version = model.ir_version
    sized.opset_import.extend(model.opset_import)
    graph = sized.graph
    graph.name = "sizes"
    graph.node.extend(model.graph.node)
    graph.input.extend(model.graph.input)
    for value in graph.input:
        for dimension in value.type.tensor_type.shape.dim:
            if dimension.dim_param:
                dimension.dim_value = _size(dimension.dim_param, sizes)
    for tensor in model.graph.initializer:
        if math.prod(tensor.dims) <= _SHAPES and not tensor.external_data:
            graph.initializer.append(tensor)
        else:
            graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    graph.output.extend(onnx.helper.make_empty_tensor_value_info(value.name) for value in model.graph.output)
    return sized


def _size(name: str, sizes: Mapping[str, int]) -> int:
    """Of the dimension ``name``, which may be a sum of others."""
    terms = [name] if name in sizes else name.split(" + ")
    if any(term not in sizes and not term.isdigit() for term in terms):
        raise BadConfig(f"the graph has a dimension '{name}': give its size beside those of {sorted(sizes)}")
    return sum(sizes[term] if term in sizes else int(term) for term in terms)


def _value_bytes(model: Model) -> dict[str, int]:
    """The size of every tensor that shape inference knows."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    found: dict[str, int] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        dimensions = [dimension.dim_value for dimension in tensor.shape.dim]
        if tensor.elem_type and tensor.HasField("shape") and all(d.HasField("dim_value") for d in tensor.shape.dim):
            found[value.name] = tensor_bytes(tensor.elem_type, dimensions)
    return found


def _output_bytes(model: Model, sizes: Mapping[str, int]) -> dict[str, int]:
    """The size of every output as the graph says it: operators beyond the standard tell shape inference nothing."""
    found: dict[str, int] = {}
    for value in model.graph.output:
        tensor = value.type.tensor_type
        with contextlib.suppress(BadConfig):
            dimensions = [d.dim_value or _size(d.dim_param, sizes) for d in tensor.shape.dim]
            if dimensions:
                found[value.name] = tensor_bytes(tensor.elem_type, dimensions)
    return found


def _peak_bytes(model: Model, known: Mapping[str, int]) -> int:
    """The most that lives at once: from the node that makes a tensor to the last that reads it."""
    last = {name: number for number, node in enumerate(model.graph.node) for name in node.input}
    outputs = {value.name for value in model.graph.output}
    alive = {value.name: known.get(value.name, 0) for value in model.graph.input}
    peak: int = sum(alive.values())
    for number, node in enumerate(model.graph.node):
        alive.update(_results(node, known, alive))
        peak = max(peak, sum(alive.values()))
        for name in (*node.input, *node.output):
            if last.get(name, -1) <= number and name not in outputs:
                alive.pop(name, None)
    return peak


def _results(node: Node, known: Mapping[str, int], alive: Mapping[str, int]) -> dict[str, int]:
    largest = max((alive.get(name, 0) for name in node.input), default=0)
    return {name: known.get(name, largest) for name in node.output if name}


def _is_edge(model: Model, name: str) -> bool:
    return any(value.name == name for value in (*model.graph.input, *model.graph.output))
