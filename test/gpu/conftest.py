"""The real TensorRT, and ONNX Runtime's CUDA, on a real GPU; skipped, with the reason, where one is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

CUDA_TESTS = "test_cuda_provider.py"
CONTRACT = Path(__file__).parents[1] / "contract"
sys.path[:0] = [str(CONTRACT), str(CONTRACT.parent)]

from plans import tensorrt_runner  # noqa: E402

from vlm_ros.core.bundle import Bundle  # noqa: E402
from vlm_ros.core.clock import Clock, monotonic_s  # noqa: E402
from vlm_ros.core.errors import MissingLibrary  # noqa: E402
from vlm_ros.models.llava import LLAVA_PARTS, LlavaModel  # noqa: E402
from vlm_ros.runtime.onnxruntime.library import CUDA_PROVIDERS, check_providers  # noqa: E402

TINY = Bundle(CONTRACT.parent / "bundles/tiny_llava")


def missing_here() -> str:
    """Why nothing can run here; empty where it can."""
    try:
        import pycuda.driver as cuda
        import tensorrt  # noqa: F401
    except ImportError as error:
        return f"no TensorRT here: {error}"
    try:
        cuda.init()
    except cuda.Error as error:
        return f"no GPU here: {error}"
    return "" if cuda.Device.count() else "no GPU here"


def missing_for_cuda() -> str:
    """Why ONNX Runtime cannot compute on CUDA here; empty where it can."""
    try:
        check_providers(CUDA_PROVIDERS)
    except MissingLibrary as error:
        return str(error)
    return ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = [item for item in items if Path(item.path).parent == Path(__file__).parent]
    for item in here:
        reason = missing_for_cuda() if Path(item.path).name == CUDA_TESTS else missing_here()
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture
def cuda_provider() -> None:
    """It is here, else the test were skipped."""


@pytest.fixture(scope="session")
def emulated_tensorrt() -> None:
    """Where the contract's tests ask for the emulator, they get the real one."""


@pytest.fixture
def make_model() -> Iterator[Callable[..., LlavaModel]]:
    """Makes models of the same weights, each on runners of its own."""
    made: list[LlavaModel] = []

    def make(clock: Clock = monotonic_s) -> LlavaModel:
        parts = {part: tensorrt_runner(TINY.onnx(part)) for part in LLAVA_PARTS}
        for runner in parts.values():
            runner.activate()
        made.append(LlavaModel(TINY, parts, clock=clock))
        return made[-1]

    yield make
    for model in made:
        model.close()


@pytest.fixture
def model(make_model: Callable[..., LlavaModel]) -> LlavaModel:
    return make_model()


@pytest.fixture
def tiny() -> Bundle:
    """A real LLaVA with random weights."""
    return TINY
