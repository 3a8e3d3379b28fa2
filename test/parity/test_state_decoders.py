"""Text models of layers with short convolutions (LFM2) answer as transformers does, and others are refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
from transformers import AutoModelForCausalLM, Lfm2Config

from vlm_ros.core.agreement import agreement_of
from vlm_ros.core.errors import BadBundle
from vlm_ros.export.layer_cache import layer_caches_of
from vlm_ros.export.onnx_export import write_onnx
from vlm_ros.export.part_runner import PartRunner
from vlm_ros.export.text_decoder import TextDecoder, TokenEmbedding
from vlm_ros.export.validation import check_part
from vlm_ros.models.decoder import Decoder
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner

WIDTH, KERNEL, WORDS = 32, 3, 100
SIZES = {"vocab_size": WORDS, "hidden_size": WIDTH, "intermediate_size": 64, "num_hidden_layers": 3}
SIZES |= {"num_attention_heads": 4, "num_key_value_heads": 2, "conv_L_cache": KERNEL, "max_position_embeddings": 256}
KINDS = ["conv", "full_attention", "conv"]


@pytest.fixture(scope="module")
def model(tiny):
    model = AutoModelForCausalLM.from_config(Lfm2Config(**SIZES, layer_types=KINDS)).eval()
    tiny["draw_weights"](model, torch.Generator().manual_seed(0))
    return model


@pytest.fixture(scope="module")
def runner(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("lfm2") / "decoder_model_merged.onnx"
    part = TextDecoder(model.model, model.lm_head, WIDTH)
    write_onnx(part, path, 20)
    runner = OnnxRuntimeRunner(path, threads=1)
    runner.activate()
    assert check_part(part, runner).accepted
    yield runner
    runner.deactivate()


@pytest.fixture
def decoder(model, runner):
    return Decoder(PartRunner(TokenEmbedding(model.get_input_embeddings())), runner, context_tokens=256)


def random_tokens(count, seed=0):
    return np.random.default_rng(seed).integers(10, WORDS, count).tolist()


def test_states_are_called_as_on_the_hub(runner):
    states = {name: spec.shape for name, spec in runner.inputs.items() if "conv" in name}
    assert states == dict.fromkeys(("past_conv.0", "past_conv.2"), ("batch", WIDTH, KERNEL))
    assert {"present_conv.0", "present_conv.2", "present.1.key", "present.1.value"} < runner.outputs.keys()


@pytest.mark.parametrize("longest", [2, 30])
@pytest.mark.parametrize("rows", [1, 3])
def test_tokens_equal_the_checkpoints_when_rows_are_padded(model, decoder, rows, longest):
    padding = tuple(min(row, longest - 1) for row in range(rows))
    ids = torch.tensor([random_tokens(longest, seed=row) for row in range(rows)])
    mask = (torch.arange(longest)[None] >= torch.tensor(padding)[:, None]).long()
    expected = model.generate(ids, attention_mask=mask, max_new_tokens=32, do_sample=False, eos_token_id=None)
    embeddings = np.concatenate([decoder.embed(row.tolist()) for row in ids])
    cache, tokens = decoder.begin_rows(rows), []
    for _ in range(32):
        logits, cache = decoder.step_rows(embeddings, cache, padding)
        tokens.append(logits.argmax(-1))
        embeddings = decoder.embed(tokens[-1].tolist()).swapaxes(0, 1)
    assert np.stack(tokens, axis=1).tolist() == expected[:, longest:].tolist()


def test_prompt_reads_the_same_in_pieces_and_otherwise_without_its_state(decoder):
    tokens = random_tokens(20)
    whole, _ = decoder.step(decoder.embed(tokens), decoder.begin())
    _, cache = decoder.step(decoder.embed(tokens[:-1]), decoder.begin())
    pieces, _ = decoder.step(decoder.embed(tokens[-1:]), cache)
    assert agreement_of(pieces, whole).accepted
    lost = {name: np.zeros_like(tensor) if "conv" in name else tensor for name, tensor in cache.feeds.items()}
    other, _ = decoder.step(decoder.embed(tokens[-1:]), dataclasses.replace(cache, feeds=lost))
    assert not agreement_of(other, whole).accepted


def test_model_is_refused_when_a_layer_is_of_another_kind():
    config = Lfm2Config(**SIZES, layer_types=KINDS)
    config.layer_types = ["conv", "full_attention", "mamba"]
    with pytest.raises(BadBundle, match=r"layer 2 .*lfm2.* kind 'mamba'"):
        layer_caches_of(config)
