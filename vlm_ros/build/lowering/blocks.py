"""A decoder cut into blocks of layers, each a graph of its own with the cache of its layers.

One value, the hidden states, passes from a block to the next. What all layers share (masks, positions) follows
from the inputs and is computed in each block anew, which is bit by bit the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vlm_ros.build.lowering.flow import Flow, layer_of
from vlm_ros.build.precision.onnx_library import Model, onnx
from vlm_ros.build.precision.sizes import tensor_bytes
from vlm_ros.core.errors import BuildFailed

_EMBEDDINGS = "inputs_embeds"
_SMALL_BYTES = 1024
"""Constants of so few bytes may be shapes, which others follow from."""


@dataclass(frozen=True)
class Block:
    """The values that a block takes from the one before it, at most one, and those that it gives."""

    takes: tuple[str, ...]
    gives: tuple[str, ...]


def blocks_of(model: Model, count: int) -> list[Block]:
    """``model`` in ``count`` blocks of whole layers, with weights as even as may be.

    ``BuildFailed`` where it has fewer layers, or passes more than one value between them.
    """
    flow = Flow(model)
    finest = _finest_blocks(flow)
    if not 1 <= count <= len(finest):
        raise BuildFailed(
            f"a decoder of {flow.layers} layers that takes {sorted(flow.inputs)} makes 1 to {len(finest)} blocks, "
            f"not {count}: take fewer, or build it whole"
        )
    return _grouped(finest, [_bytes(model, flow, block) for block in finest], count)


def largest_blocks(model: Model) -> list[int]:
    """How many bytes of weights the largest block has when ``model`` is cut into 1, 2, 3 blocks and so on.

    As many numbers as there can be blocks: one where ``model`` is no decoder.
    """
    flow = Flow(model)
    finest = _finest_blocks(flow)
    sizes = [_bytes(model, flow, block) for block in finest]
    cuts = [_grouped(finest, sizes, count) for count in range(1, len(finest) + 1)]
    return [max(_bytes(model, flow, block) for block in blocks) for blocks in cuts]


def block_model(model: Model, block: Block) -> Model:
    """The part of ``model`` that ``block`` is."""
    flow = Flow(model)
    needed = flow.needed(block.gives, block.takes)
    made = needed - set(block.takes)
    edges = {value.name: value for value in (*model.graph.input, *model.graph.output)}
    hidden = [name for name in (*block.takes, *block.gives) if name not in edges]
    edges.update({name: _hidden_states(model, name) for name in hidden})
    part = _without_graph(model)
    part.graph.name = model.graph.name
    part.graph.node.extend(node for node in flow.nodes if not made.isdisjoint(node.output))
    part.graph.initializer.extend(tensor for tensor in model.graph.initializer if tensor.name in needed)
    inputs = [value.name for value in model.graph.input if value.name in needed]
    part.graph.input.extend(edges[name] for name in (*block.takes, *inputs))
    part.graph.output.extend(edges[name] for name in block.gives)
    return part


def _without_graph(model: Model) -> Model:
    bare = onnx.ModelProto(ir_version=model.ir_version)
    bare.opset_import.extend(model.opset_import)
    bare.functions.extend(model.functions)
    return bare


def _without_weights(model: Model) -> Model:
    """``model`` with inputs in place of its large weights, which inference would copy over and over."""
    light = _without_graph(model)
    light.graph.name = model.graph.name
    light.graph.node.extend(model.graph.node)
    light.graph.input.extend(model.graph.input)
    light.graph.output.extend(model.graph.output)
    for tensor in model.graph.initializer:
        if weight_bytes(tensor) <= _SMALL_BYTES and not tensor.external_data:
            light.graph.initializer.append(tensor)
        else:
            light.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    return light


def _hidden_states(model: Model, name: str) -> Any:
    """``name`` as an input or output: as many tokens as embeddings, of a width and a type of its own."""
    edge = onnx.ValueInfoProto()
    edge.CopyFrom(next(value for value in model.graph.input if value.name == _EMBEDDINGS))
    edge.name = name
    for value in onnx.shape_inference.infer_shapes(_without_weights(model)).graph.value_info:
        if value.name == name and value.type.tensor_type.elem_type:
            edge.type.tensor_type.elem_type = value.type.tensor_type.elem_type
            _take_known_sizes(edge.type.tensor_type, value.type.tensor_type)
    return edge


def _take_known_sizes(kind: Any, inferred: Any) -> None:
    """Let ``kind`` have the sizes that ``inferred`` knows: its others keep the names that inputs have for them."""
    if not inferred.HasField("shape"):
        return
    if len(inferred.shape.dim) != len(kind.shape.dim):
        kind.shape.CopyFrom(inferred.shape)
    for size, told in zip(kind.shape.dim, inferred.shape.dim, strict=True):
        if told.dim_value:
            size.CopyFrom(told)


def _finest_blocks(flow: Flow) -> list[Block]:
    """As many blocks as can be: one ends with each layer after which one value alone goes on."""
    passages = [flow.passage(layer) for layer in range(flow.layers - 1)] if _EMBEDDINGS in flow.inputs else []
    blocks: list[Block] = []
    takes: tuple[str, ...] = ()
    gives: list[str] = []
    for layer, passage in enumerate(passages):
        gives += [name for name in flow.outputs if layer_of(name) == layer]
        if passage is not None:
            blocks.append(Block(takes, (passage, *gives)))
            takes, gives = (passage,), []
    given = {name for block in blocks for name in block.gives}
    return [*blocks, Block(takes, tuple(name for name in flow.outputs if name not in given))]


def _grouped(finest: Sequence[Block], sizes: Sequence[int], count: int) -> list[Block]:
    """Neighbours of ``finest``, of ``sizes`` bytes, as ``count`` blocks."""
    ends = _ends(sizes, count)
    return [_merged(finest[first:end]) for first, end in zip([0, *ends[:-1]], ends, strict=True)]


def _merged(blocks: Sequence[Block]) -> Block:
    """Neighbours as one block; what passes between them stays within."""
    within = {name for block in blocks[1:] for name in block.takes}
    return Block(blocks[0].takes, tuple(name for block in blocks for name in block.gives if name not in within))


def _bytes(model: Model, flow: Flow, block: Block) -> int:
    needed = flow.needed(block.gives, block.takes)
    return sum(weight_bytes(tensor) for tensor in model.graph.initializer if tensor.name in needed)


def _ends(sizes: Sequence[int], count: int) -> list[int]:
    """Behind which of ``sizes`` each of ``count`` groups ends: nearest to its share, and no group stays empty."""
    ends: list[int] = []
    behind, total = 0, sum(sizes)
    for number, (size, following) in enumerate(zip(sizes[:-1], sizes[1:], strict=True), start=1):
        behind += size
        wanted = count - 1 - len(ends)
        is_share = (2 * behind + following) * count >= 2 * total * (len(ends) + 1)
        if wanted and (is_share or len(sizes) - number <= wanted):
            ends.append(number)
    return [*ends, len(sizes)]


def weight_bytes(tensor: Any) -> int:
    """How many bytes a weight takes, wherever they lie."""
    if not tensor.external_data:
        return len(tensor.raw_data) or tensor.ByteSize()
    lengths = [int(entry.value) for entry in tensor.external_data if entry.key == "length"]
    return lengths[0] if lengths else tensor_bytes(tensor.data_type, tensor.dims)
