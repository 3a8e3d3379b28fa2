"""The cache of a decoder stays on the device, and everything else is as on ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from emulator import pycuda_driver
from emulator.memory import DEVICE
from emulator.trt_engine import IExecutionContext

from vlm_ros.core.answer import FreeText
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.frame import Frame
from vlm_ros.models.decoder import Branch, Decoder
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel
from vlm_ros.runtime.kv_cache import KvCache
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.runner import Runner

QUESTIONS = ("What is in the image?", "Is there a red ball?", "And what else?")
MakeModel = Callable[[], LlavaModel]


@pytest.fixture
def engines(builder: SimpleNamespace, tiny: Bundle, tmp_path: Path) -> dict[str, Path]:
    paths = {part: tmp_path / part for part in LLAVA_PARTS}
    for part, path in paths.items():
        builder.build(tiny.onnx(part), path)
    return paths


@pytest.fixture
def make_model(backend: SimpleNamespace, tiny: Bundle, engines: dict[str, Path]) -> Iterator[MakeModel]:
    """Makes models on the emulator."""
    made: list[LlavaModel] = []

    def make() -> LlavaModel:
        made.append(_model(tiny, {part: backend.Runner(path) for part, path in engines.items()}))
        return made[-1]

    yield make
    for model in made:
        model.close()


@pytest.fixture
def reference(tiny: Bundle) -> Iterator[LlavaModel]:
    model = _model(tiny, {part: OnnxRuntimeRunner(tiny.onnx(part), threads=1) for part in LLAVA_PARTS})
    yield model
    model.close()


def _model(bundle: Bundle, runners: dict[str, Runner]) -> LlavaModel:
    for runner in runners.values():
        runner.activate()
    return LlavaModel(bundle, runners)


def answers_of(model: LlavaModel) -> list[str]:
    """What the model says about three pictures, each asked about thrice."""
    pictures = np.random.default_rng(3).integers(0, 256, (3, 48, 64, 3), dtype=np.uint8)
    seen = [model.observe(Frame(picture)) for picture in pictures]
    return [observation.ask(question, FreeText(24)).text for observation in seen for question in QUESTIONS]


@pytest.mark.parametrize("shares_memory", [False, True], ids=["its own memory", "the host's memory"])
def test_tokens_are_onnx_runtimes_when_the_gpu_has(
    make_model: MakeModel, reference: LlavaModel, monkeypatch: pytest.MonkeyPatch, shares_memory: bool
) -> None:
    monkeypatch.setattr(pycuda_driver, "INTEGRATED", shares_memory)
    answers = answers_of(make_model())
    assert answers == answers_of(reference)
    assert len(set(answers)) > 3, "a model that always says the same proves nothing"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("past_key_values.0.key", "past_key_values.0.value"),
        ("past_key_values.0.key", "past_key_values.1.key"),
        ("present.0.key", "present.0.value"),
        ("present.1.value", "present.0.value"),
    ],
)
def test_tokens_differ_when_two_cache_addresses_are_swapped(
    make_model: MakeModel, reference: LlavaModel, monkeypatch: pytest.MonkeyPatch, one: str, other: str
) -> None:
    right, swapped = IExecutionContext.set_tensor_address, {one: other, other: one}
    monkeypatch.setattr(
        IExecutionContext,
        "set_tensor_address",
        lambda self, name, memory: right(self, swapped.get(name, name), memory),
    )
    assert answers_of(make_model()) != answers_of(reference)


@pytest.fixture
def decoder(backend: SimpleNamespace, engines: dict[str, Path]) -> Iterator[Decoder]:
    runners = [backend.Runner(engines[part]) for part in ("embed_tokens", "decoder_model_merged")]
    for runner in runners:
        runner.activate()
    yield Decoder(*runners, context_tokens=256)
    for runner in runners:
        runner.deactivate()


def grown(decoder: Decoder, tokens: int) -> Branch:
    """A branch that has seen so many tokens."""
    branch = Branch(decoder, decoder.begin)
    branch.feed(range(10, 10 + tokens))
    return branch


def test_a_step_moves_no_cache_through_the_host_when_the_past_is_long(decoder: Decoder) -> None:
    moved = []
    for tokens in (4, 200):
        branch = grown(decoder, tokens)
        before = DEVICE.host_copies
        branch.feed([7])
        moved.append(DEVICE.host_copies - before)
    mask_bytes = (200 - 4) * np.dtype(np.int64).itemsize
    assert moved[1] - moved[0] == mask_bytes


def test_memory_goes_back_and_forth_when_tokens_are_decoded(decoder: Decoder) -> None:
    branch = grown(decoder, 65)
    for token in range(4):
        branch.feed([token])
    blocks = len(DEVICE.blocks)
    for token in range(50):
        branch.feed([token])
    assert len(DEVICE.blocks) == blocks, "a cache of up to 128 tokens lies in the memory of the one before the last"


def test_prefix_stays_as_it_is_when_branches_grow_from_it(decoder: Decoder) -> None:
    _, prefix = decoder.step(decoder.embed(range(20, 40)), decoder.begin())
    before = copies(prefix)
    first, second = (Branch(decoder, lambda: prefix) for _ in range(2))
    alone = [first.feed([token]) for token in (5, 6, 7)]
    Branch(decoder, lambda: prefix).feed([99, 98])
    for token, logits in zip((5, 6, 7), alone, strict=True):
        np.testing.assert_array_equal(second.feed([token]), logits)
    for name, values in copies(prefix).items():
        np.testing.assert_array_equal(values, before[name])


def copies(cache: KvCache) -> dict[str, np.ndarray]:
    return {name: np.asarray(tensor) for name, tensor in cache.feeds.items()}
