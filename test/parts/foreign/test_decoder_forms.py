"""Decoders that others exported answer as ours does."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", exc_type=ImportError)

import cache_forms  # noqa: E402
import decoder_forms  # noqa: E402
import part_forms  # noqa: E402
import surgery  # noqa: E402
from foreign import DECODER, EMBED, QUESTIONS, VISION, Change, answers, change, picture, same  # noqa: E402
from grouped_attention import KNOWS_SCALES, byte_cache, grouped_attention, half_cache  # noqa: E402
from onnx import TensorProto  # noqa: E402

from vlm_ros.build.building import build_bundle  # noqa: E402
from vlm_ros.build.store import EngineStore  # noqa: E402
from vlm_ros.core.answer import FreeText  # noqa: E402
from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.models.batching import Request, ask_all  # noqa: E402
from vlm_ros.models.loading import load_model  # noqa: E402
from vlm_ros.runtime import prompt_pieces  # noqa: E402


def short_names(name: str) -> str:
    return re.sub(r"(past)_key_values\.(\d)\.(\w+)|present\.(\d)\.(\w+)", _underscored, name)


def _underscored(found: re.Match[str]) -> str:
    _, layer, kind, new_layer, new_kind = found.groups()
    return f"past_{kind}_{layer}" if layer else f"present_{new_kind}_{new_layer}"


DECODERS: dict[str, tuple[Change, ...]] = {
    "past.0.key": (lambda model: surgery.rename(model, lambda name: name.replace("past_key_values", "past")),),
    "past_key_0": (lambda model: surgery.rename(model, short_names),),
    "present_key_values.0.key": (
        lambda model: surgery.rename(model, lambda name: name.replace("present.", "present_key_values.")),
    ),
    "other names": (
        lambda model: surgery.rename(
            model, lambda name: name.replace("inputs_embeds", "embeds").replace("logits", "lm_logits")
        ),
    ),
    "tokens before heads": (cache_forms.tokens_first,),
    "keys with values": (cache_forms.keys_with_values,),
    "new tokens only": (cache_forms.new_tokens_only,),
    "int32": (lambda model: surgery.retype(model, kind=TensorProto.INT32, of=TensorProto.INT64),),
    "no positions": (decoder_forms.without_positions,),
    "no mask": (decoder_forms.without_mask,),
    "neither": (decoder_forms.without_positions, decoder_forms.without_mask),
    "positions in rows": (decoder_forms.position_rows,),
    "logits to keep": (lambda model: surgery.add_input(model, "num_logits_to_keep", TensorProto.INT64, []),),
    "cache position": (lambda model: surgery.add_input(model, "cache_position", TensorProto.INT64, ["sequence"]),),
    "branches": (cache_forms.with_branches,),
    "all of the cache in one": (cache_forms.all_in_one,),
    "one row of positions": (decoder_forms.one_row_of_positions,),
    "logits without tokens": (decoder_forms.logits_without_tokens,),
    "mask of booleans": (decoder_forms.mask_of(TensorProto.BOOL),),
    "mask of floats": (decoder_forms.mask_of(TensorProto.FLOAT),),
    "mask in squares": (lambda model: decoder_forms.square_mask(model, TensorProto.FLOAT),),
    "mask in squares of halves": (lambda model: decoder_forms.square_mask(model, TensorProto.FLOAT16),),
    "mask in squares of booleans": (lambda model: decoder_forms.square_mask(model, TensorProto.BOOL),),
    "mask in squares of integers": (lambda model: decoder_forms.square_mask(model, TensorProto.INT64),),
    "one prompt": (part_forms.rows(1),),
    "grouped attention": (grouped_attention,),
    "logits to keep in a row": (lambda model: surgery.add_input(model, "num_logits_to_keep", TensorProto.INT64, [1]),),
}


@pytest.mark.parametrize("form", DECODERS)
def test_answers_are_ours_when_the_decoder_has_another_form(form: str, folder: Path, ours: list) -> None:
    change(folder, DECODER, *DECODERS[form])
    assert same(answers(Bundle(folder)), ours)


@pytest.mark.parametrize("form", [form for form in DECODERS if form != "branches"])
def test_answers_are_ours_when_a_decoder_of_another_form_reads_prompts_in_pieces(
    form: str, folder: Path, ours: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prompt_pieces, "MOST_SCORES", 150)
    change(folder, DECODER, *DECODERS[form])
    assert same(answers(Bundle(folder)), ours)


def baked_row(model: onnx.ModelProto) -> None:
    """One row, as tracing with one leaves it: the graph still says to take any number."""
    shape = surgery.constant(model, "baked", [1, -1, 32])
    baked = onnx.helper.make_node("Reshape", ["inputs_embeds", shape], ["inputs_embeds_inner"])
    surgery.inner(model, "inputs_embeds", baked)


IN_BATCHES: dict[str, tuple[str, tuple[Change, ...]]] = {
    **{form: (DECODER, changes) for form, changes in DECODERS.items()},
    "one row baked in": (DECODER, (baked_row,)),
    "tiles of pictures": (VISION, (part_forms.tiles_of_pictures,)),
    "pictures without a batch": (VISION, (part_forms.without_batch,)),
    "one picture": (VISION, (part_forms.rows(1),)),
    "sizes of each picture": (
        VISION,
        (lambda model: surgery.add_input(model, "image_sizes", TensorProto.INT64, ["batch", 2]),),
    ),
    "sizes of one picture": (
        VISION,
        (lambda model: surgery.add_input(model, "image_sizes", TensorProto.INT64, [1, 2]),),
    ),
    "pictures put in place": (EMBED, (part_forms.merging_embedding,)),
}


@pytest.mark.parametrize("form", IN_BATCHES)
def test_batches_are_answered_as_one_after_the_other_when_a_part_has_another_form(form: str, folder: Path) -> None:
    """At once where the form allows it."""
    part, changes = IN_BATCHES[form]
    change(folder, part, *changes)
    model = load_model(Bundle(folder), threads=1)
    requests = [Request(picture(seed), question, FreeText(6)) for seed in (5, 6) for question in QUESTIONS]
    try:
        batched, single = (list(ask_all(model, requests, max_batch=size)) for size in (4, 1))
    finally:
        model.close()
    assert [answer.text for answer in batched] == [answer.text for answer in single]
    assert len({answer.text for answer in single}) == 4


HALVES = {
    "all but the cache": ("inputs_embeds", "logits"),
    "the cache alone": [
        f"{side}.{layer}.{kind}"
        for side in ("past_key_values", "present")
        for layer in range(2)
        for kind in ("key", "value")
    ],
}


@pytest.mark.parametrize("which", HALVES)
def test_answers_are_nearly_ours_when_some_of_the_decoder_is_half_precision(
    which: str, folder: Path, ours: list
) -> None:
    change(folder, DECODER, lambda model: surgery.retype(model, names=HALVES[which]))
    assert same(answers(Bundle(folder)), ours, tolerance=0.1)


@pytest.mark.parametrize("cache", ["halves", "bytes"])
def test_answers_are_nearly_ours_when_grouped_attention_has_a_narrow_cache(
    cache: str, folder: Path, ours: list, tmp_path: Path
) -> None:
    if cache == "bytes" and not KNOWS_SCALES:
        pytest.skip("ONNX Runtime keeps no cache in integers here")
    change(folder, DECODER, {"halves": half_cache, "bytes": byte_cache}[cache])
    given = answers(Bundle(folder))
    assert same(given, ours, tolerance=0.3)
    engines = build_bundle(Bundle(folder), EngineStore(tmp_path / "engines"))
    model = load_model(Bundle(folder), engines, threads=1)
    answer = model.observe(picture(5)).ask(QUESTIONS[0], FreeText(max_tokens=8))
    model.close()
    assert same([(answer.text, answer.confidence)], given[:1])


STATES: dict[str, tuple[Change, ...]] = {
    "float32": (cache_forms.with_states,),
    "float16": (cache_forms.with_states, surgery.retype),
    "batch without a name": (cache_forms.with_states, cache_forms.unnamed_batches),
}


@pytest.mark.parametrize("form", STATES)
def test_states_go_from_run_to_run_when_a_layer_keeps_some(form: str, folder: Path, ours: list) -> None:
    change(folder, DECODER, *STATES[form])
    model = load_model(Bundle(folder), threads=1)
    decoder, tokens = model.decoder, list(range(10, 40))
    whole, _ = decoder.step(decoder.embed(tokens), decoder.begin())
    _, cache = decoder.step(decoder.embed(tokens[:11]), decoder.begin())
    pieces, _ = decoder.step(decoder.embed(tokens[11:]), cache)
    np.testing.assert_allclose(pieces, whole, atol=0.1 if form == "float16" else 1e-5)
    for state in ("past_conv.2", "past_recurrent.2"):
        lost = {**cache.feeds, state: np.zeros_like(cache.feeds[state])}
        other, _ = decoder.step(decoder.embed(tokens[11:12]), dataclasses.replace(cache, feeds=lost))
        right, _ = decoder.step(decoder.embed(tokens[11:12]), cache)
        assert not np.allclose(other, right, atol=0.1)
    model.close()
    assert same(answers(Bundle(folder)), answers(Bundle(folder)))
    assert not same(answers(Bundle(folder)), ours, tolerance=0.1)


def test_answers_are_ours_when_the_decoder_comes_in_two_graphs(folder: Path, ours: list) -> None:
    (folder / "onnx" / f"{DECODER}.onnx").unlink()
    change(folder, DECODER, cache_forms.first_half, name="decoder_model")
    change(folder, DECODER, cache_forms.one_token_only, name="decoder_with_past_model")
    assert same(answers(Bundle(folder)), ours)
