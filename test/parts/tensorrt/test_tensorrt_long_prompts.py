"""Prompts that are longer than one run of an engine takes go through the same cache in pieces."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vlm_ros.core.bundle import Bundle
from vlm_ros.models.decoder import Branch, Decoder
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Runner, TensorSpec

PARTS = ("embed_tokens", "decoder_model_merged")
PROMPT = [int(token) for token in np.random.default_rng(4).integers(5, 300, 45)]
MOST = 16
"""Tokens of one run: the last piece is shorter than the others."""


class Narrow(OnnxRuntimeRunner):
    """A graph that says it takes no more than so many tokens at once, and means it."""

    @property
    def inputs(self) -> Mapping[str, TensorSpec]:
        specs = dict(super().inputs)
        specs["inputs_embeds"] = dataclasses.replace(specs["inputs_embeds"], largest=(1, MOST, 32))
        return specs

    def run(self, feeds: Mapping, keep: object = ()) -> dict:
        assert feeds["inputs_embeds"].shape[1] <= MOST
        return super().run(feeds)


def tokens_after(embed: Runner, decoder: Runner) -> list[int]:
    """What follows the prompt, greedily."""
    for runner in (embed, decoder):
        runner.activate()
    branch_of = Decoder(embed, decoder, context_tokens=256)
    branch, pending, found = Branch(branch_of, branch_of.begin), PROMPT, []
    for _ in range(12):
        pending = [int(branch.feed(pending).argmax())]
        found += pending
    assert branch.room == 256 - len(PROMPT) - 11
    del branch
    for runner in (embed, decoder):
        runner.deactivate()
    return found


@pytest.fixture
def whole(tiny: Bundle) -> list[int]:
    """What follows the prompt when all of it goes through ONNX Runtime at once."""
    return tokens_after(*(OnnxRuntimeRunner(tiny.onnx(part), threads=1) for part in PARTS))


def test_tokens_are_those_of_the_whole_prompt_when_onnx_runtime_takes_it_in_pieces(
    tiny: Bundle, whole: list[int]
) -> None:
    embed = OnnxRuntimeRunner(tiny.onnx("embed_tokens"), threads=1)
    assert tokens_after(embed, Narrow(tiny.onnx("decoder_model_merged"), threads=1)) == whole
    assert len(set(whole)) > 3, "a model that always says the same proves nothing"


def test_tokens_are_those_of_the_whole_prompt_when_the_engine_is_built_for_shorter_ones(
    backend: SimpleNamespace, tiny: Bundle, whole: list[int], tmp_path: Path
) -> None:
    builder = backend.Builder(backend.Limits(prompt_tokens=MOST, context_tokens=256), timings=tmp_path / "timings")
    for part in PARTS:
        builder.build(tiny.onnx(part), tmp_path / part)
    assert tokens_after(*(backend.Runner(tmp_path / part) for part in PARTS)) == whole
