"""Text models that keep states, in batches, in blocks and at other precisions, beside their checkpoints."""

from __future__ import annotations

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
from picture_pair import opened_pair, random_tokens

from vlm_ros.build.lowering.blocks import block_model, blocks_of
from vlm_ros.build.onnxruntime.growing_cache import grow_cache_in_place
from vlm_ros.build.precision.passes import write_part
from vlm_ros.build.run_memory import run_memory, sizes_at
from vlm_ros.build.validation.validating import validate_part
from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.onnx_files import DECODER
from vlm_ros.export.part_runner import PartRunner
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

STATE = re.compile("past_(conv|recurrent)")
keeps_states = pytest.mark.parametrize("pair", ["minicpm_v_hybrid"], indirect=True)
"""Tests of a model whose text has layers of linear attention."""
keeps_any_states = pytest.mark.parametrize("pair", ["minicpm_v_hybrid", "lfm2_vl"], indirect=True)
"""Tests of models whose text has layers of linear attention, or of short convolutions."""
put_together = pytest.mark.parametrize("pair", ["minicpm_v_hybrid", "lfm2_vl", "minicpm_v2_6"], indirect=True)
"""Tests of these, and of a model that transformers has no class for."""


@pytest.fixture(scope="module")
def pair(request, tmp_path_factory):
    with opened_pair(request.param, tmp_path_factory.getbasetemp() / request.param) as opened:
        yield opened


@put_together
@pytest.mark.parametrize("longest", [9, 70])
@pytest.mark.parametrize("rows", [1, 3])
def test_tokens_and_logits_equal_the_checkpoints_when_rows_are_padded(pair, rows, longest):
    padding = tuple(range(0, 2 * rows, 2))
    ids = torch.tensor([random_tokens(longest, seed=row) for row in range(rows)])
    mask = (torch.arange(longest)[None] >= torch.tensor(padding)[:, None]).long()
    expected = pair.reference.model.generate(
        input_ids=ids,
        attention_mask=mask,
        max_new_tokens=32,
        do_sample=False,
        eos_token_id=None,
        output_logits=True,
        return_dict_in_generate=True,
    )
    decoder = pair.model.decoder
    embeddings = np.concatenate([decoder.embed(row.tolist()) for row in ids])
    cache, tokens = decoder.begin_rows(rows), []
    for step in range(32):
        logits, cache = decoder.step_rows(embeddings, cache, padding)
        agreement = agreement_of(logits, expected.logits[step].numpy())
        assert agreement.accepted, agreement
        tokens.append(logits.argmax(-1))
        embeddings = decoder.embed(tokens[-1].tolist()).swapaxes(0, 1)
    assert np.stack(tokens, axis=1).tolist() == expected.sequences[:, longest:].tolist()


@keeps_states
@pytest.mark.parametrize("kind", ["past_conv", "past_recurrent"])
@pytest.mark.parametrize("instead", ["zeros", "another prompt's"])
def test_comparison_fails_when_a_state_is_lost(pair, kind, instead):
    decoder = pair.model.decoder
    (_, cache), (_, other) = (
        decoder.step(decoder.embed(random_tokens(40, seed)), decoder.begin()) for seed in range(2)
    )
    wrong = {
        name: (np.zeros_like(tensor) if instead == "zeros" else other.feeds[name]) if kind in name else tensor
        for name, tensor in cache.feeds.items()
    }
    right, _ = decoder.step(decoder.embed([7]), cache)
    lost, _ = decoder.step(decoder.embed([7]), dataclasses.replace(cache, feeds=wrong))
    assert not agreement_of(lost, right).accepted


def decoder_samples(runner):
    """What a decoder meets in use: a prompt, a longer one behind others, a step."""
    drawn = np.random.default_rng(0)
    samples = []
    for new, past in ((70, 0), (5, 3), (1, 9)):
        sizes = {"batch": 1, "sequence": new, "past": past, "total": new + past}
        shapes = {name: [sizes.get(size, size) for size in spec.shape] for name, spec in runner.inputs.items()}
        feeds = {name: drawn.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
        feeds["attention_mask"] = np.ones(shapes["attention_mask"], np.int64)
        feeds["position_ids"] = np.broadcast_to(np.arange(past, past + new), shapes["position_ids"]).copy()
        samples.append(feeds)
    return samples


@pytest.fixture
def whole_decoder(pair):
    runner = OnnxRuntimeRunner(pair.bundle.onnx(DECODER), threads=1)
    runner.activate()
    yield runner
    runner.deactivate()


@keeps_any_states
@pytest.mark.parametrize(
    ("precision", "correlation"), [("fp16", 0.99999), ("int8", 0.97), ("quantized", 0.97), ("qdq", 0.95)]
)
def test_states_stay_wide_when_a_decoder_gets_another_precision(pair, whole_decoder, precision, correlation, tmp_path):
    bundle = Bundle(Path(shutil.copytree(pair.bundle.folder, tmp_path / "bundle")))
    samples = decoder_samples(whole_decoder)
    narrow = OnnxRuntimeRunner(write_part(bundle, DECODER, precision, samples), threads=1)
    narrow.activate()
    assert {spec.dtype for name, spec in narrow.inputs.items() if STATE.match(name)} == {np.dtype(np.float32)}
    narrow.deactivate()
    checkpoint = PartRunner(pair.module().parts_of(pair.reference.model)[-1])
    report = validate_part(bundle, DECODER, precision, samples, checkpoint)
    assert report.worst.correlation > correlation
    assert report.passed or precision != "fp16", report.faults


@pytest.mark.parametrize("pair", ["minicpm_v_hybrid", "lfm2_vl", "qwen3_vl"], indirect=True)
def test_decoder_answers_the_same_when_it_is_cut_into_blocks(pair, whole_decoder, tmp_path):
    onnx = pytest.importorskip("onnx")
    model, feeds = onnx.load(pair.bundle.onnx(DECODER)), decoder_samples(whole_decoder)[0]
    expected, tensors = whole_decoder.run(feeds), dict(feeds)
    for number, block in enumerate(blocks_of(model, 2)):
        onnx.save(block_model(model, block), tmp_path / f"{number}.onnx")
        runner = OnnxRuntimeRunner(tmp_path / f"{number}.onnx", threads=1)
        runner.activate()
        tensors.update(runner.run({name: tensors[name] for name in runner.inputs}))
        runner.deactivate()
    for name, array in expected.items():
        np.testing.assert_array_equal(tensors[name], array)


@keeps_states
def test_memory_counts_states_once_and_keys_by_the_token(pair, whole_decoder):
    path = pair.bundle.onnx(DECODER)
    short, long = (run_memory(path, sizes_at(tokens)).cache_bytes for tokens in (100, 200))
    text = pair.reference.model.config.text_config
    keys_bytes = 2 * text.num_key_value_heads * text.head_dim * 4
    assert long - short == 100 * keys_bytes
    past = whole_decoder.inputs.items()
    states = [spec.shape[1:] for name, spec in past if name.startswith(("past_conv", "past_recurrent"))]
    assert short == 100 * keys_bytes + 2 * sum(4 * np.prod(shape) for shape in states)


@keeps_any_states
def test_cache_grows_in_place_nowhere_when_layers_keep_states(pair):
    onnx = pytest.importorskip("onnx")
    model = onnx.load(pair.bundle.onnx(DECODER))
    assert not grow_cache_in_place(model)
    assert model == onnx.load(pair.bundle.onnx(DECODER))
