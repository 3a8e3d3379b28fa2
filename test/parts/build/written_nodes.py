"""Rotary embedding, the cache and attention in operators of before opset 23."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

HEADS, CACHED_HEADS, SCALE = 4, 2, 0.3
PAST, PRESENT = "past_key_values.0.", "present.0."


def written_constants(head: int) -> dict[str, np.ndarray]:
    """What ``written_attention`` reads besides, for heads of this width."""
    return {
        "axis_2": np.array([2]),
        "axis_3": np.array([3]),
        "begin": np.array([0]),
        "half": np.array([head // 2]),
        "end": np.array([head]),
        "root": np.array(SCALE**0.5, np.float32),
        "nothing": np.array(0, np.float32),
        "lowest": np.array(np.finfo(np.float32).min),
        "shared": np.array([1, 1, HEADS // CACHED_HEADS, 1, 1]),
        "by_query_head": np.array([0, HEADS, -1, head]),
    }


def written_attention() -> list[onnx.NodeProto]:
    """From ``q``, ``k``, ``v``, ``cos``, ``sin`` and the mask ``causal`` to ``seen``."""
    make = helper.make_node
    return [
        make("Concat", ["cos", "cos"], ["cos_twice"], axis=-1),
        make("Concat", ["sin", "sin"], ["sin_twice"], axis=-1),
        make("Unsqueeze", ["cos_twice", "axis_1"], ["cos_of_heads"]),
        make("Unsqueeze", ["sin_twice", "axis_1"], ["sin_of_heads"]),
        *_turned("q"),
        *_turned("k"),
        make("Concat", [f"{PAST}key", "k_turned"], [f"{PRESENT}key"], axis=-2),
        make("Concat", [f"{PAST}value", "v"], [f"{PRESENT}value"], axis=-2),
        *_repeated("key"),
        *_repeated("value"),
        make("Transpose", ["key_repeated"], ["key_upright"], perm=[0, 1, 3, 2]),
        make("Mul", ["q_turned", "root"], ["q_scaled"]),
        make("Mul", ["key_upright", "root"], ["key_scaled"]),
        make("Where", ["causal", "nothing", "lowest"], ["hiding"]),
        make("MatMul", ["q_scaled", "key_scaled"], ["scores"]),
        make("Add", ["scores", "hiding"], ["scores_masked"]),
        make("Softmax", ["scores_masked"], ["weights_or_nan"], axis=-1),
        make("IsNaN", ["weights_or_nan"], ["is_nan"]),
        make("Where", ["is_nan", "nothing", "weights_or_nan"], ["weights"]),
        make("MatMul", ["weights", "value_repeated"], ["seen"]),
    ]


def _turned(kind: str) -> list[onnx.NodeProto]:
    make = helper.make_node
    return [
        make("Slice", [kind, "begin", "half", "axis_3"], [f"{kind}_low"]),
        make("Slice", [kind, "half", "end", "axis_3"], [f"{kind}_high"]),
        make("Neg", [f"{kind}_high"], [f"{kind}_negative"]),
        make("Concat", [f"{kind}_negative", f"{kind}_low"], [f"{kind}_crossed"], axis=-1),
        make("Mul", [kind, "cos_of_heads"], [f"{kind}_along"]),
        make("Mul", [f"{kind}_crossed", "sin_of_heads"], [f"{kind}_across"]),
        make("Add", [f"{kind}_along", f"{kind}_across"], [f"{kind}_turned"]),
    ]


def _repeated(kind: str) -> list[onnx.NodeProto]:
    """Each cached head as often as queries share it."""
    make = helper.make_node
    return [
        make("Unsqueeze", [f"{PRESENT}{kind}", "axis_2"], [f"{kind}_apart"]),
        make("Expand", [f"{kind}_apart", "shared"], [f"{kind}_shared"]),
        make("Reshape", [f"{kind}_shared", "by_query_head"], [f"{kind}_repeated"]),
    ]
