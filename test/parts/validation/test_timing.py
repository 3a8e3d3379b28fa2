"""How candidates are timed: in turns, and never two of them in memory."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from parts import chain, rows, weight

from vlm_ros.build.precision.files import write_model
from vlm_ros.build.validation import timing
from vlm_ros.runtime.onnxruntime.runner import OnnxRuntimeRunner


class Watched(OnnxRuntimeRunner):
    """Notes who is loaded when anybody is."""

    loaded: list[Path] = []
    seen: list[list[Path]] = []

    def activate(self) -> None:
        self.loaded.append(self._path)
        self.seen.append(list(self.loaded))
        super().activate()

    def deactivate(self) -> None:
        super().deactivate()
        self.loaded.remove(self._path)


@pytest.fixture
def graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Two graphs, and runners that are watched."""
    paths = {name: tmp_path / f"{name}.onnx" for name in ("one", "other")}
    for path in paths.values():
        write_model(chain(weight(16, 16)), path)
    monkeypatch.setattr(timing, "runner_for", lambda path, threads: Watched(path, threads=threads))
    monkeypatch.setattr(Watched, "loaded", [])
    monkeypatch.setattr(Watched, "seen", [])
    return paths


def test_graphs_take_turns_and_one_is_loaded_at_a_time(graphs: dict[str, Path]) -> None:
    timing.passes_s(graphs, [rows(16)], threads=1)
    assert Watched.seen == [[path] for path in (*graphs.values(), *graphs.values())]
    assert Watched.loaded == []


def test_shortest_pass_counts_when_the_first_is_quicker_still(graphs: dict[str, Path]) -> None:
    passes_s = itertools.cycle([0.1, 5.0, 3.0, 4.0])
    stamps = itertools.accumulate(gap for length in passes_s for gap in (1.0, length))
    assert timing.passes_s(graphs, [rows(16)], threads=1, clock=lambda: next(stamps)) == pytest.approx(
        dict.fromkeys(graphs, 3.0)
    )
