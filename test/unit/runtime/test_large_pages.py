"""Large pages under what is large and in use, and nothing else."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vlm_ros.runtime import large_pages
from vlm_ros.runtime.large_pages import use_large_pages

SIZE = 16 << 20


@pytest.fixture
def memory() -> Iterator[np.ndarray]:
    """A piece of memory that nobody has touched, in small pages."""
    piece = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    yield np.frombuffer(piece, np.uint8)


def large_bytes(memory: np.ndarray) -> tuple[int, int]:
    """How much of the mapping that holds ``memory`` is there, and in large pages."""
    address = memory.ctypes.data
    smaps = large_pages._mappings(Path("/proc/self/smaps").read_text())
    found = next(mapping for mapping in smaps if mapping.start <= address < mapping.end)
    return found.present, found.large


@pytest.fixture(autouse=True)
def needs_large_pages() -> None:
    try:
        setting = Path("/sys/kernel/mm/transparent_hugepage/enabled").read_text()
        release = tuple(int(number) for number in Path("/proc/sys/kernel/osrelease").read_text().split(".")[:2])
    except OSError:
        pytest.skip("this kernel has no large pages")
    if "[never]" in setting or release < (6, 1):
        pytest.skip("this kernel does not put memory into large pages at once")


def test_memory_is_in_large_pages_when_it_is_in_use(memory: np.ndarray) -> None:
    memory[:] = 7
    use_large_pages()
    assert large_bytes(memory)[1] >= SIZE - 2 * (2 << 20)
    assert np.all(memory == 7)


def test_memory_takes_no_more_than_before_when_it_is_mostly_empty(memory: np.ndarray) -> None:
    memory[: SIZE // 2] = 7
    before = large_bytes(memory)[0]
    use_large_pages()
    assert large_bytes(memory) == (before, 0)


def test_nothing_changes_when_large_pages_are_switched_off(
    memory: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setting = tmp_path / "enabled"
    setting.write_text("always madvise [never]\n")
    monkeypatch.setattr(large_pages, "_SETTING", setting)
    memory[:] = 7
    use_large_pages()
    assert large_bytes(memory)[1] == 0


def test_nothing_happens_when_the_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_pages, "_SMAPS", tmp_path / "nothing")
    use_large_pages()
