"""The models that the model contract is checked on.

``tiny`` is a real LLaVA with random weights on ONNX Runtime, ``tensorrt`` the same on TensorRT. ``toy`` has the same
words and three Python functions behind fake runners; its decoder sums up all it has seen, each token weighed by its
position, so that whatever is lost, doubled or misplaced in the cache changes the answer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from plans import tensorrt_runner

from vlm_ros.core.bundle import Bundle
from vlm_ros.core.clock import Clock, monotonic_s
from vlm_ros.core.errors import MissingLibrary
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel
from vlm_ros.runtime.fake import FakeRunner
from vlm_ros.runtime.onnxruntime.library import CUDA_PROVIDERS, check_providers
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner
from vlm_ros.runtime.opening import runner_for
from vlm_ros.runtime.runner import Runner, Tensors, TensorSpec

sys.path.insert(0, str(Path(__file__).parents[1]))  # for the emulator of TensorRT

TINY = Bundle(Path(__file__).parents[1] / "bundles/tiny_llava")
VOCABULARY, WIDTH = 352, 16
FLOAT, INT64 = np.dtype(np.float32), np.dtype(np.int64)
CACHE = ("batch", 1, "past", WIDTH)


def tiny_parts() -> dict[str, Runner]:
    return {part: OnnxRuntimeRunner(TINY.onnx(part), threads=1) for part in LLAVA_PARTS}


def bound_parts() -> dict[str, Runner]:
    """What stays on the device stays in memory of ONNX Runtime's own, as it does on CUDA."""
    return {part: OnnxRuntimeRunner(TINY.onnx(part), threads=1, device="cpu") for part in LLAVA_PARTS}


def cuda_parts() -> dict[str, Runner]:
    return {part: runner_for(TINY.onnx(part), cuda=True) for part in LLAVA_PARTS}


def tensorrt_parts() -> dict[str, Runner]:
    return {part: tensorrt_runner(TINY.onnx(part)) for part in LLAVA_PARTS}


def toy_parts() -> dict[str, Runner]:
    return {"vision_encoder": _vision_encoder(), "embed_tokens": _embed_tokens(), "decoder_model_merged": _decoder()}


PARTS = {"tiny": tiny_parts, "toy": toy_parts, "bound": bound_parts, "cuda": cuda_parts, "tensorrt": tensorrt_parts}


@pytest.fixture(scope="session")
def cuda_provider() -> None:
    """Skips where ONNX Runtime has no CUDA."""
    try:
        check_providers(CUDA_PROVIDERS)
    except MissingLibrary as error:
        pytest.skip(str(error))


@pytest.fixture(params=PARTS.values(), ids=PARTS.keys())
def make_model(request: pytest.FixtureRequest) -> Iterator[Callable[..., LlavaModel]]:
    """Makes models of the same weights, each on runners of its own."""
    made: list[LlavaModel] = []
    if request.param is tensorrt_parts:
        request.getfixturevalue("emulated_tensorrt")
    if request.param is cuda_parts:
        request.getfixturevalue("cuda_provider")

    def make(clock: Clock = monotonic_s) -> LlavaModel:
        parts = request.param()
        for runner in parts.values():
            runner.activate()
        made.append(LlavaModel(TINY, parts, clock=clock))
        return made[-1]

    yield make
    for model in made:
        model.close()


@pytest.fixture(scope="session")
def emulated_tensorrt() -> Iterator[None]:
    """TensorRT on a machine without a GPU."""
    pytest.importorskip("onnx")
    from emulator import installed

    with installed():
        yield


@pytest.fixture
def model(make_model: Callable[..., LlavaModel]) -> LlavaModel:
    return make_model()


def _table() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((VOCABULARY, WIDTH)).astype(np.float32)


def _vision_encoder() -> FakeRunner:
    def encode(feeds: Tensors) -> dict[str, np.ndarray]:
        bands = feeds["pixel_values"].reshape(-1, 3, 4, 32 * 8).mean(axis=3)
        return {"image_features": np.tile(bands.transpose(0, 2, 1), (1, 1, 6))[:, :, :WIDTH]}

    pixels = TensorSpec("pixel_values", FLOAT, ("batch", 3, 32, 32))
    return FakeRunner([pixels], [TensorSpec("image_features", FLOAT, ("batch", 4, WIDTH))], encode)


def _embed_tokens() -> FakeRunner:
    table = _table()
    numbers = TensorSpec("input_ids", INT64, ("batch", "sequence"))
    embeddings = TensorSpec("inputs_embeds", FLOAT, ("batch", "sequence", WIDTH))
    return FakeRunner([numbers], [embeddings], lambda feeds: {"inputs_embeds": table[feeds["input_ids"]]})


def _decoder() -> FakeRunner:
    table = _table()

    def decode(feeds: Tensors) -> dict[str, np.ndarray]:
        seen = feeds["past_key_values.0.key"].shape[2]
        total = seen + feeds["inputs_embeds"].shape[1]
        mask = feeds["attention_mask"]
        assert mask.shape == (len(feeds["inputs_embeds"]), total)
        weights = np.cos(1.7 * feeds["position_ids"])[:, np.newaxis, :, np.newaxis]
        now = feeds["inputs_embeds"][:, np.newaxis] * weights
        key = np.concatenate([feeds["past_key_values.0.key"], now], axis=2)
        value = np.concatenate([feeds["past_key_values.0.value"], -now], axis=2)
        sums = np.cumsum((key - value)[:, 0] * mask[..., np.newaxis], axis=1, dtype=np.float64)[:, seen:]
        return {"logits": np.sin(sums) @ table.T, "present.0.key": key, "present.0.value": value}

    inputs = [
        TensorSpec("inputs_embeds", FLOAT, ("batch", "sequence", WIDTH)),
        TensorSpec("attention_mask", INT64, ("batch", "total")),
        TensorSpec("position_ids", INT64, ("batch", "sequence")),
        TensorSpec("past_key_values.0.key", FLOAT, CACHE),
        TensorSpec("past_key_values.0.value", FLOAT, CACHE),
    ]
    outputs = [TensorSpec("logits", FLOAT, ("batch", "sequence", VOCABULARY))]
    outputs += [TensorSpec(f"present.0.{kind}", FLOAT, CACHE) for kind in ("key", "value")]
    return FakeRunner(inputs, outputs, decode)
