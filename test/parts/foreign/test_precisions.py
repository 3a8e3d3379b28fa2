"""Decoders that others exported, in narrower numbers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

import cache_forms  # noqa: E402
from foreign import DECODER, EMBED, VISION, Change, answers, change, picture  # noqa: E402
from grouped_attention import KNOWS_SCALES, byte_cache, grouped_attention, half_cache  # noqa: E402

from vlm_ros.build.precision.passes import PASSES, write_part  # noqa: E402
from vlm_ros.build.validation.validating import validate_part  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.errors import BuildFailed  # noqa: E402
from vlm_ros.models.recording import record  # noqa: E402

FORMS: dict[str, tuple[Change, str]] = {
    "tokens before heads": (cache_forms.tokens_first, "int8"),
    "grouped attention": (grouped_attention, "fp16"),
    "cache in halves": (half_cache, "fp16"),
    "cache in halves, INT8": (half_cache, "qdq"),
    "new tokens only": (cache_forms.new_tokens_only, "int8"),
}
if KNOWS_SCALES:
    FORMS |= {"cache in bytes": (byte_cache, "fp16"), "cache in bytes, INT8": (byte_cache, "quantized")}


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("form", FORMS)
def test_narrower_graph_answers_nearly_alike_when_the_decoder_has_another_form(form: str, folder: Path) -> None:
    apply, precision = FORMS[form]
    change(folder, DECODER, apply)
    bundle = Bundle(folder)
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER][:3]
    write_part(bundle, DECODER, precision, samples)
    report = validate_part(bundle, DECODER, precision, samples)
    assert report.worst.correlation > 0.99, report.worst
    assert report.size_bytes < 0.8 * report.reference_bytes


def test_decoders_with_caches_of_floats_and_of_integers_are_not_compared(folder: Path) -> None:
    change(folder, DECODER, grouped_attention)
    bundle = Bundle(folder)
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER][:3]
    change(folder, DECODER, byte_cache, name=f"{DECODER}_int8")
    (fault,) = validate_part(bundle, DECODER, "int8", samples).faults
    assert "'past_key_values.0.key' is int8 here and float32 in what it is compared with" in fault


def with_equal_branches(model: onnx.ModelProto) -> None:
    cache_forms.with_branches(model, one_token=False)


@pytest.mark.parametrize("precision", PASSES)
def test_merged_decoder_becomes_narrow_where_its_branch_with_a_cache_reads_prompts(
    precision: str, folder: Path
) -> None:
    change(folder, DECODER, with_equal_branches)
    bundle = Bundle(folder)
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER]
    write_part(bundle, DECODER, precision, samples)
    report = validate_part(bundle, DECODER, precision, samples)
    assert report.worst.correlation > 0.9, report.worst
    assert report.size_bytes < 0.8 * report.reference_bytes
    assert len(report.layers) > 100
    for part in (VISION, EMBED):
        write_part(bundle, part, precision, record(bundle, {}, [picture(5)], threads=1).feeds[part])
    assert answers(bundle, precision)


@pytest.mark.parametrize("precision", PASSES)
def test_merged_decoder_is_refused_by_name_where_a_pass_would_not_reach_its_weights(
    precision: str, folder: Path
) -> None:
    change(folder, DECODER, cache_forms.with_branches)
    bundle = Bundle(folder)
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER]
    with pytest.raises(BuildFailed, match="'merged' holds weights in its branches or loop .If., which would stay"):
        write_part(bundle, DECODER, precision, samples)
    assert bundle.precisions(DECODER) == ("fp32",)


def spoilt_cache(model: onnx.ModelProto) -> None:
    """Keys of the new tokens that are not what a later token must see."""
    for node in model.graph.node:
        node.output[:] = ["right_keys" if name == "present.0.key" else name for name in node.output]
        node.input[:] = ["right_keys" if name == "present.0.key" else name for name in node.input]
    model.graph.node.append(onnx.helper.make_node("Neg", ["right_keys"], ["present.0.key"]))


@pytest.mark.parametrize("form", ["whole", "new tokens only"])
def test_wrong_cache_is_a_fault_whichever_tokens_the_outputs_hold(form: str, folder: Path) -> None:
    changes = {"whole": (), "new tokens only": (cache_forms.new_tokens_only,)}[form]
    change(folder, DECODER, *changes)
    change(folder, DECODER, *changes, spoilt_cache, name=f"{DECODER}_int8")
    bundle = Bundle(folder)
    samples = [feeds for feeds in record(bundle, {}, [picture(5)], threads=1).feeds[DECODER] if _tokens(feeds) == 1]
    report = validate_part(bundle, DECODER, "int8", samples)
    assert report.outputs["present.0.key"].correlation < 0
    assert report.outputs["present.0.value"].correlation == pytest.approx(1)


def test_decoders_that_give_all_of_the_cache_and_what_is_new_agree(folder: Path) -> None:
    change(folder, DECODER, cache_forms.new_tokens_only, name=f"{DECODER}_int8")
    bundle = Bundle(folder)
    samples = record(bundle, {}, [picture(5)], threads=1).feeds[DECODER]
    assert {_tokens(feeds) for feeds in samples} > {1}
    assert not validate_part(bundle, DECODER, "int8", samples).faults


def _tokens(feeds: Mapping[str, np.ndarray]) -> int:
    return feeds["inputs_embeds"].shape[1]
