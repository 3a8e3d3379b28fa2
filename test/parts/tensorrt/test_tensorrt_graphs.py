"""Runs that repeat are started as one CUDA graph; all others, and whatever cannot be captured, kernel by kernel."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from emulator.libcuda import Libcuda

from vlm_ros.core.bundle import Bundle


@pytest.fixture
def runner(backend: SimpleNamespace, builder: SimpleNamespace, matmul: Path, tmp_path: Path) -> Iterator[object]:
    """``product`` = ``rows`` (batch, past) times ``columns`` (past, 2)."""
    builder.build(matmul, tmp_path / "engine")
    made = backend.Runner(tmp_path / "engine")
    made.activate()
    yield made
    made.deactivate()
    assert not Libcuda.graphs, "a graph was left behind"


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Libcuda, "launches", 0)


def product_is_right(runner: SimpleNamespace, past: int, factor: float = 1.0) -> bool:
    feeds = {"rows": np.full((1, past), factor, np.float32), "columns": np.ones((past, 2), np.float32)}
    return runner.run(feeds)["product"].tolist() == [[past * factor] * 2]


def test_graph_is_replayed_with_new_values_when_shapes_and_addresses_repeat(runner: SimpleNamespace) -> None:
    assert all(product_is_right(runner, 3, factor) for factor in (1.0, 2.0, 3.0, 4.0))
    assert Libcuda.launches == 3, "the first run is TensorRT's own"
    assert len(Libcuda.graphs) == 1


def test_graph_is_dropped_when_a_shape_changes(runner: SimpleNamespace) -> None:
    assert all(product_is_right(runner, past) for past in (3, 3, 3, 5, 5, 3, 0, 0, 0))
    assert Libcuda.launches == 5


def test_graph_is_dropped_when_memory_moves(runner: SimpleNamespace) -> None:
    for past in (3, 3, 200, 3, 3, 3):  # the staging memory has grown between the second and the third
        assert product_is_right(runner, past)
    assert Libcuda.launches == 3


def test_nothing_is_captured_when_kept_outputs_take_turns(runner: SimpleNamespace) -> None:
    feeds = {"rows": np.ones((1, 3), np.float32), "columns": np.ones((3, 2), np.float32)}
    held = [runner.run(feeds, keep=["product"])["product"] for _ in range(4)]
    assert Libcuda.launches == 0
    assert all(np.asarray(product).tolist() == [[3, 3]] for product in held)


def test_runs_go_on_without_graphs_when_an_engine_cannot_be_captured(
    runner: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Libcuda, "refuses", True)
    assert all(product_is_right(runner, 3, factor) for factor in (1.0, 2.0, 3.0))
    assert Libcuda.launches == 0


def test_nothing_is_captured_when_the_user_says_so(
    backend: SimpleNamespace,
    builder: SimpleNamespace,
    tiny: Bundle,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("VLM_ROS_CUDA_GRAPHS", "0")
    builder.build(tiny.onnx("embed_tokens"), tmp_path / "engine")
    runner = backend.Runner(tmp_path / "engine")
    runner.activate()
    first, *others = (runner.run({"input_ids": np.array([[7]])})["inputs_embeds"] for _ in range(3))
    runner.deactivate()
    assert Libcuda.launches == 0
    assert all(np.array_equal(first, other) for other in others)
