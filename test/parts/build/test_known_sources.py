"""A graph is read whole once, and again as soon as anybody touched a file of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from onnx_bytes import model_with_data

from vlm_ros.build import known_sources
from vlm_ros.build.key import source_of
from vlm_ros.build.known_sources import SOURCES, known_source_of


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where checksums are kept."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "vlm_ros" / "engines" / SOURCES


@pytest.fixture
def graph(kept: Path, tmp_path: Path) -> Path:
    """A graph with weights beside it."""
    path = tmp_path / "graph.onnx"
    path.write_bytes(model_with_data("weights.bin"))
    (tmp_path / "weights.bin").write_bytes(b"weights")
    return path


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The graphs that were read whole; what was written just now counts as settled."""
    done: list[Path] = []

    def reading(onnx: Path) -> str:
        done.append(onnx)
        return source_of(onnx)

    monkeypatch.setattr(known_sources, "source_of", reading)
    monkeypatch.setattr(known_sources, "SETTLED_S", -3600.0)
    return done


def _write(path: Path, content: bytes) -> None:
    """Without a trace in its size and the time of its last writing."""
    times = path.stat()
    assert len(content) == times.st_size
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def _exchange(path: Path, content: bytes) -> None:
    """By another file of the same size and date."""
    times, other = path.stat(), path.with_name("other")
    assert len(content) == times.st_size
    other.write_bytes(content)
    os.utime(other, ns=(times.st_atime_ns, times.st_mtime_ns))
    other.replace(path)


def test_graph_is_read_once(graph: Path, read: list[Path]) -> None:
    assert known_source_of(graph) == known_source_of(graph) == source_of(graph)
    assert read == [graph]


@pytest.mark.parametrize("change", [_write, _exchange])
@pytest.mark.parametrize("name", ["graph.onnx", "weights.bin"])
def test_change_shows_however_well_it_hides(
    name: str, change: Callable[[Path, bytes], None], graph: Path, read: list[Path]
) -> None:
    before, file = known_source_of(graph), graph.with_name(name)
    time.sleep(0.02)  # a tick of the system's clock
    content = file.read_bytes()
    change(file, content.replace(b"weights", b"weightt") if name == "weights.bin" else content[:-1] + b"!")
    assert known_source_of(graph) == source_of(graph) != before
    assert len(read) == 2


def test_what_was_just_written_is_read_again(graph: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_sources, "SETTLED_S", 60.0)
    for _ in range(2):
        known_source_of(graph)
    assert len(read) == 2


def test_what_changes_while_it_is_read_is_read_again(
    graph: Path, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def changing(onnx: Path) -> str:
        source = source_of(onnx)
        time.sleep(0.02)
        _write(graph.with_name("weights.bin"), b"weightt")
        return source

    monkeypatch.setattr(known_sources, "source_of", changing)
    before = known_source_of(graph)
    assert known_source_of(graph) == source_of(graph) != before


@pytest.mark.parametrize("content", ["{", "[]", '{"PATH": 5}', '{"PATH": {"stamps": [], "source": 5}}'])
def test_graph_is_read_when_what_is_known_makes_no_sense(
    content: str, graph: Path, kept: Path, read: list[Path]
) -> None:
    known_source_of(graph)
    kept.write_text(content.replace("PATH", str(graph)))
    assert known_source_of(graph) == source_of(graph)
    assert len(read) == 2


def test_graph_is_read_when_nothing_can_be_kept(graph: Path, kept: Path, read: list[Path]) -> None:
    kept.parent.parent.parent.write_text("no folder")
    assert [known_source_of(graph) for _ in range(2)] == [source_of(graph)] * 2
    assert len(read) == 2


def test_graphs_that_are_gone_are_forgotten(graph: Path, kept: Path, read: list[Path]) -> None:
    known_source_of(graph)
    other = graph.rename(graph.with_name("other.onnx"))
    known_source_of(other)
    assert str(other) in kept.read_text()
    assert str(graph) not in kept.read_text()
