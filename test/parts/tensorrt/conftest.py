"""TensorRT on a machine without a GPU: every test begins with an empty device and must leave it so."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from vlm_ros.core.bundle import Bundle

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))

from emulator import import_backend, installed  # noqa: E402
from emulator.memory import DEVICE  # noqa: E402

try:
    import onnx  # noqa: F401
except ImportError:  # the emulator reads graphs with it
    collect_ignore_glob = ["test_tensorrt_*.py"]


@pytest.fixture
def backend() -> Iterator[SimpleNamespace]:
    gc.collect()
    DEVICE.blocks.clear()
    with installed():
        yield import_backend()
        gc.collect()
        assert not DEVICE.blocks, "device memory was left behind"


@pytest.fixture
def builder(backend: SimpleNamespace, tmp_path: Path) -> object:
    return backend.Builder(backend.Limits(prompt_tokens=256, context_tokens=256), timings=tmp_path / "timings")


@pytest.fixture
def tiny() -> Bundle:
    """A real LLaVA with random weights."""
    return Bundle(TESTS / "bundles/tiny_llava")


@pytest.fixture
def matmul() -> Path:
    """A graph that multiplies ``rows`` (batch, past) by ``columns`` (past, 2)."""
    return TESTS / "contract/toy_graphs/matmul.onnx"
