"""A decoder of one layer, the way exporters write it at opset 23 and before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from written_nodes import CACHED_HEADS, HEADS, PAST, PRESENT, SCALE, written_attention, written_constants

WIDTH, HEAD, WORDS = 32, 8, 50


def decoder(opset: int = 23, *, window: bool = False, head: int = HEAD) -> onnx.ModelProto:
    """Grouped heads, rotary embedding, a causal mask; ``window`` lets a token see only the 3 before it.

    Before opset 23 rotary embedding and attention are written out.
    """
    draw = np.random.default_rng(0)
    sizes = {"q": HEADS * head, "k": CACHED_HEADS * head, "v": CACHED_HEADS * head, "words": WORDS}
    weights = {f"w_{name}": draw.normal(0, WIDTH**-0.5, (WIDTH, size)) for name, size in sizes.items()}
    weights["w_o"] = draw.normal(0, WIDTH**-0.5, (HEADS * head, WIDTH))
    constants = {
        **{name: weight.astype(np.float32) for name, weight in weights.items()},
        "frequencies": (100.0 ** -np.linspace(0, 1, head // 2)).astype(np.float32),
        "by_head": np.array([0, 0, -1, head]),
        "by_token": np.array([0, 0, -1]),
        "axis_0": np.array([0]),
        "axis_1": np.array([1]),
        "axis_last": np.array([-1]),
        "three": np.array(3),
        "zero": np.array(0),
        "one": np.array(1),
        **(written_constants(head) if opset < 23 else {}),
    }
    graph = helper.make_graph(
        [*_mask(window), *_heads(), *(_attention() if opset >= 23 else written_attention()), *_ending()],
        "decoder",
        [_floats("inputs_embeds", "batch", "sequence", WIDTH)]
        + [helper.make_tensor_value_info("attention_mask", TensorProto.INT64, ["batch", "total"])]
        + [helper.make_tensor_value_info("position_ids", TensorProto.INT64, ["batch", "sequence"])]
        + [_floats(PAST + kind, "batch", CACHED_HEADS, "past", head) for kind in ("key", "value")],
        [_floats("logits", "batch", "sequence", WORDS)]
        + [_floats(PRESENT + kind, "batch", CACHED_HEADS, "total", head) for kind in ("key", "value")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)


def saved(model: onnx.ModelProto, folder: Path, *, external: bool = False) -> Path:
    """The file of ``model``; with ``external`` its weights lie beside it."""
    path = folder / "decoder_model_merged.onnx"
    beside = {"save_as_external_data": True, "location": f"{path.name}_data", "size_threshold": 1000}
    onnx.save(model, path, **(beside if external else {}))
    return path


def _mask(window: bool) -> list[onnx.NodeProto]:
    make = helper.make_node
    nodes = [
        make("Shape", ["attention_mask"], ["total"], start=1, end=2),
        make("Squeeze", ["total"], ["total_count"]),
        make("Shape", ["inputs_embeds"], ["new"], start=1, end=2),
        make("Squeeze", ["new"], ["new_count"]),
        make("Sub", ["total_count", "new_count"], ["past_count"]),
        make("Range", ["zero", "total_count", "one"], ["columns"]),
        make("Range", ["past_count", "total_count", "one"], ["rows"]),
        make("Unsqueeze", ["columns", "axis_0"], ["columns_across"]),
        make("Unsqueeze", ["rows", "axis_1"], ["rows_down"]),
        make("LessOrEqual", ["columns_across", "rows_down"], ["causal"]),
    ]
    if not window:
        return nodes
    return [
        *nodes[:-1],
        make("LessOrEqual", ["columns_across", "rows_down"], ["not_later"]),
        make("Sub", ["rows_down", "three"], ["first"]),
        make("Greater", ["columns_across", "first"], ["near"]),
        make("And", ["not_later", "near"], ["causal"]),
    ]


def _heads() -> list[onnx.NodeProto]:
    """Cosines and sines, and ``q``, ``k`` and ``v`` by head."""
    make = helper.make_node
    nodes = [
        make("Cast", ["position_ids"], ["positions"], to=TensorProto.FLOAT),
        make("Unsqueeze", ["positions", "axis_last"], ["positions_down"]),
        make("Mul", ["positions_down", "frequencies"], ["angles"]),
        make("Cos", ["angles"], ["cos"]),
        make("Sin", ["angles"], ["sin"]),
    ]
    for kind in "qkv":
        nodes += [
            make("MatMul", ["inputs_embeds", f"w_{kind}"], [f"{kind}_flat"]),
            make("Reshape", [f"{kind}_flat", "by_head"], [f"{kind}_heads"]),
            make("Transpose", [f"{kind}_heads"], [kind], perm=[0, 2, 1, 3]),
        ]
    return nodes


def _attention() -> list[onnx.NodeProto]:
    make = helper.make_node
    return [
        make("RotaryEmbedding", ["q", "cos", "sin"], ["q_turned"], num_heads=HEADS),
        make("RotaryEmbedding", ["k", "cos", "sin"], ["k_turned"], num_heads=CACHED_HEADS),
        make("Concat", [f"{PAST}key", "k_turned"], [f"{PRESENT}key"], axis=2),
        make("Concat", [f"{PAST}value", "v"], [f"{PRESENT}value"], axis=2),
        make("Attention", ["q_turned", f"{PRESENT}key", f"{PRESENT}value", "causal"], ["seen"], scale=SCALE),
    ]


def _ending() -> list[onnx.NodeProto]:
    """From attention, ``seen``, to logits."""
    make = helper.make_node
    return [
        make("Transpose", ["seen"], ["seen_by_token"], perm=[0, 2, 1, 3]),
        make("Reshape", ["seen_by_token", "by_token"], ["seen_flat"]),
        make("MatMul", ["seen_flat", "w_o"], ["mixed"]),
        make("MatMul", ["mixed", "w_words"], ["logits"]),
    ]


def _floats(name: str, *shape: str | int) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
