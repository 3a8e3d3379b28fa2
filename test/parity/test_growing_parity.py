"""Engines whose cache grows in place decode as the exported graph does, for every text model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnx
import pytest

pytest.importorskip("torch", exc_type=ImportError)

import torch
import transformers

from vlm_ros.build.blocks import BlockBuilder
from vlm_ros.build.onnxruntime.builder import OnnxRuntimeBuilder
from vlm_ros.export.onnx_export import write_onnx
from vlm_ros.export.text_decoder import TextDecoder
from vlm_ros.runtime.kv_cache import KvCache, KvLayout
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner

WIDTH, WORDS, TOKENS = 32, 352, 32
SIZES = {"vocab_size": WORDS, "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 4}
OTHERS = {
    "mistral that sees all before it": lambda: transformers.MistralForCausalLM(
        transformers.MistralConfig(**SIZES, num_key_value_heads=2, intermediate_size=64, sliding_window=None)
    ),
    "opt": lambda: transformers.OPTForCausalLM(
        transformers.OPTConfig(**SIZES, word_embed_proj_dim=WIDTH, ffn_dim=64, max_position_embeddings=256)
    ),
}


class Decoding:
    """A decoder that is fed with embeddings of a vocabulary that nothing else knows."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._layout = KvLayout.from_runner(runner)
        self._table = embeddings(0, WORDS)[0]
        self.begin = self._layout.empty()

    def step(self, embeds: np.ndarray, cache: KvCache) -> tuple[np.ndarray, KvCache]:
        """The logits after ``embeds`` (1, tokens, width), which follow ``cache``, and the cache from then on."""
        tokens = embeds.shape[1]
        total = cache.tokens + tokens
        feeds = {"inputs_embeds": embeds, "attention_mask": np.ones((1, total), np.int64)}
        feeds["position_ids"] = np.arange(cache.tokens, total)[np.newaxis]
        outputs = self._runner.run({**feeds, **cache.feeds}, keep=self._layout.present.values())
        return np.asarray(outputs["logits"])[0, -1], self._layout.next(cache, outputs, tokens)

    def greedy(self, logits: np.ndarray, cache: KvCache) -> tuple[list[int], list[np.ndarray]]:
        """The tokens that follow, and the logits they were chosen by."""
        tokens, seen = [], []
        for _ in range(TOKENS):
            tokens.append(int(logits.argmax()))
            seen.append(logits)
            logits, cache = self.step(self._table[np.newaxis, tokens[-1:]], cache)
        return tokens, seen


def embeddings(seed: int, tokens: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(1, tokens, WIDTH)).astype(np.float32)


@contextmanager
def decoding(path: Path) -> Iterator[Decoding]:
    runner = runner_for(path, threads=1)
    runner.activate()
    yield Decoding(runner)
    runner.deactivate()


def built(path: Path, folder: Path) -> Path:
    """The engine of ``path``."""
    OnnxRuntimeBuilder(threads=1).build(path, folder / "engine")
    return folder / "engine"


def grows(engine: Path) -> bool:
    kinds = {node.op_type for node in onnx.load(engine).graph.node}
    return "GroupQueryAttention" in kinds and not kinds & {"Softmax", "Attention"}


def answers(decoder: Decoding, pieces: Sequence[int]) -> tuple[list[int], list[np.ndarray]]:
    """What follows a prompt that is read in ``pieces``."""
    prompt, cache, start = embeddings(1, sum(pieces)), decoder.begin, 0
    for tokens in pieces:
        logits, cache = decoder.step(prompt[:, start : start + tokens], cache)
        start += tokens
    return decoder.greedy(logits, cache)


def branches(decoder: Decoding) -> list[tuple[list[int], list[np.ndarray]]]:
    """What follows two questions that share a prefix, the first one continued after the second has begun."""
    _, prefix = decoder.step(embeddings(1, 9), decoder.begin)
    begun = [decoder.step(embeddings(seed, 3), prefix) for seed in (2, 3)]
    return [decoder.greedy(*branch) for branch in begun]


def assert_same_answers(path: Path, engine: Path) -> None:
    with decoding(path) as plain, decoding(engine) as growing:
        wanted = [answers(plain, (9,)), *branches(plain)]
        made = [answers(growing, (9,)), *branches(growing)]
        in_pieces = answers(growing, (5, 4))
    for (tokens, logits), (expected, expected_logits) in zip((*made, in_pieces), (*wanted, wanted[0]), strict=True):
        assert tokens == expected
        np.testing.assert_allclose(logits, expected_logits, atol=1e-4)


def test_engine_decodes_as_the_exported_graph_does(exported, tmp_path):
    """Mistral has a sliding window, which the engine keeps by leaving attention as it is."""
    path = exported.bundle.onnx("decoder_model_merged")
    engine = built(path, tmp_path)
    assert grows(engine) == (exported.model.config.text_config.model_type != "mistral")
    assert_same_answers(path, engine)


def test_blocks_of_layers_decode_as_the_exported_graph_does(exported, tmp_path):
    """A block asks layers of others how much is cached, and no longer where all caches grow."""
    path = exported.bundle.onnx("decoder_model_merged")
    BlockBuilder(OnnxRuntimeBuilder(threads=1), 2).build(path, tmp_path / "engine")
    grown = exported.model.config.text_config.model_type != "mistral"
    assert [grows(tmp_path / f"engine.{number}") for number in range(2)] == [grown, grown]
    assert_same_answers(path, tmp_path / "engine")


@pytest.mark.parametrize("text", OTHERS)
def test_engine_decodes_as_the_exported_graph_does_when_the_text_model_is(text, tmp_path):
    torch.manual_seed(0)
    model = OTHERS[text]().eval()
    for weight in model.parameters():  # initial ones are so small that attention would hardly matter
        torch.nn.init.normal_(weight, std=0.2)
    path = tmp_path / "decoder_model_merged.onnx"
    write_onnx(TextDecoder(model.model, model.lm_head, WIDTH), path, 20)
    engine = built(path, tmp_path)
    assert grows(engine)
    assert_same_answers(path, engine)
