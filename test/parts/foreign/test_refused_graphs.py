"""Graphs that cannot be run are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

import cache_forms  # noqa: E402
import decoder_forms  # noqa: E402
import part_forms  # noqa: E402
import surgery  # noqa: E402
from foreign import DECODER, EMBED, VISION, Change, answers, change, same  # noqa: E402
from onnx import TensorProto  # noqa: E402

from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.errors import VlmRosError  # noqa: E402


def with_size(name: str, shape: list) -> Change:
    def apply(model: onnx.ModelProto) -> None:
        for value in (*model.graph.input, *model.graph.output):
            if name in value.name:
                surgery.reshape_spec(value, shape)

    return apply


def baked_length(model: onnx.ModelProto) -> None:
    """Embeddings of seven tokens, as tracing with a prompt of seven leaves them."""
    shape = surgery.constant(model, "baked", [1, 7, 32])
    baked = onnx.helper.make_node("Reshape", ["inputs_embeds", shape], ["inputs_embeds_inner"])
    surgery.inner(model, "inputs_embeds", baked)


REFUSED: dict[str, tuple[str, Change, str]] = {
    "unknown input": (
        DECODER,
        lambda model: surgery.add_input(model, "encoder_mask", TensorProto.FLOAT, ["batch", 4]),
        r"encoder_mask.*\('batch', 4\).*float32",
    ),
    "no logits": (
        DECODER,
        lambda model: surgery.rename(model, lambda name: name.replace("logits", "last_hidden_state")),
        "last_hidden_state.*logits",
    ),
    "unpaired cache": (
        DECODER,
        lambda model: surgery.rename(model, lambda name: name.replace("present.1.key", "scores.1")),
        r"past_key_values\.1\.key",
    ),
    "no cache": (DECODER, cache_forms.first_half, "0 cache inputs"),
    "fixed cache": (
        DECODER,
        lambda model: [with_size(side, [1, 2, 64, 8])(model) for side in ("past", "present")] and None,
        r"past_key_values\.0\.key.*64.*number of tokens",
    ),
    "other pixels": (VISION, with_size("pixel_values", ["batch", 3, 64, 64]), r"pixel_values.*64.*32"),
    "other vision input": (
        VISION,
        lambda model: surgery.add_input(model, "timesteps", TensorProto.FLOAT, [1]),
        "timesteps",
    ),
    "no projector": (VISION, part_forms.narrow_features, "31.*32 wide"),
    "pixels in bytes": (
        VISION,
        lambda model: surgery.retype(model, kind=TensorProto.UINT8, names=["pixel_values"]),
        "'pixel_values' as uint8, and normalised pixels are float32",
    ),
    "logits of more tokens": (
        DECODER,
        decoder_forms.more_logits,
        "logits of 416 tokens and embed_tokens does not know",
    ),
    "table without a shape": (EMBED, part_forms.without_shapes, r"'input_ids' of shape \(\): export it as"),
    "two prompts at once": (
        DECODER,
        part_forms.rows(2),
        r"'inputs_embeds' of shape \(2, .*2 prompts at once.*dynamic batch",
    ),
    "64 tokens at once": (
        DECODER,
        with_size("inputs_embeds", ["batch", 64, 32]),
        r"'inputs_embeds' of shape \('batch', 64, 32\), 64 tokens at once.*dynamic sequence",
    ),
    "embeddings without a batch": (
        DECODER,
        with_size("inputs_embeds", ["sequence", 32]),
        r"'inputs_embeds' of shape \('sequence', 32\): export it as",
    ),
    "mask of a fixed length": (
        DECODER,
        with_size("attention_mask", ["batch", 256]),
        r"'attention_mask' of shape \('batch', 256\), and prompts are of any length: export",
    ),
    "one position": (DECODER, with_size("position_ids", ["batch", 1]), r"'position_ids' of shape \('batch', 1\), and"),
    "table of 64 tokens at once": (
        EMBED,
        with_size("input_ids", [1, 64]),
        r"'input_ids' of shape \(1, 64\), and prompts are of any length: export",
    ),
    "table of two prompts": (
        EMBED,
        with_size("input_ids", [2, "sequence"]),
        r"'input_ids' of shape \(2, 'sequence'\), and",
    ),
    "length baked in": (
        DECODER,
        baked_length,
        r"(?s)decoder_model_merged.onnx' failed on inputs of shapes .*Reshape.*export it with dynamic sizes",
    ),
    "other positions of tokens": (
        DECODER,
        lambda model: surgery.add_input(model, "token_type_ids", TensorProto.INT64, ["batch", "sequence"]),
        r"token_type_ids.*nobody feeds",
    ),
    "bfloat16": (
        DECODER,
        lambda model: surgery.retype(model, kind=TensorProto.BFLOAT16, names=["inputs_embeds"]),
        r"'inputs_embeds'.*bfloat16",
    ),
    "table of another vocabulary": (
        EMBED,
        part_forms.short_table,
        "the tokenizer has 352 tokens and embed_tokens does not know the last.*of two models",
    ),
    "two kinds of tokens": (
        EMBED,
        lambda model: surgery.add_input(model, "token_type_ids", TensorProto.INT64, ["batch", "sequence"]),
        "token_type_ids",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bundle_is_refused_with_the_reason_when_it_cannot_be_run(case: str, folder: Path) -> None:
    part, apply, said = REFUSED[case]
    change(folder, part, apply)
    with pytest.raises(VlmRosError, match=said):
        answers(Bundle(folder))


def test_comparison_fails_when_a_weight_differs(folder: Path, ours: list) -> None:
    def turn_round(model: onnx.ModelProto) -> None:
        weight = max(model.graph.initializer, key=lambda tensor: len(tensor.raw_data))
        weight.raw_data = (-np.frombuffer(weight.raw_data, np.float32)).tobytes()

    change(folder, DECODER, turn_round)
    assert not same(answers(Bundle(folder)), ours)
