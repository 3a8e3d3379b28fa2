"""Large pages under what is large and in use, and nothing else."""

from __future__ import annotations

import ctypes
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vlm_ros.runtime import large_pages
from vlm_ros.runtime.large_pages import use_large_pages

SIZE = 16 << 20
PR_SET_THP_DISABLE = 41


@pytest.fixture
def memory() -> Iterator[np.ndarray]:
    """A piece of memory that nobody has touched, in small pages."""
    piece = mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    piece.madvise(mmap.MADV_NOHUGEPAGE)  # else a kernel that is set to "always" begins with large ones
    yield np.frombuffer(piece, np.uint8)


def large_bytes(memory: np.ndarray) -> tuple[int, int]:
    """How much of the mapping that holds ``memory`` is there, and in large pages."""
    address = memory.ctypes.data
    found = next(mapping for mapping in large_pages._mappings() if mapping.start <= address < mapping.end)
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
    assert large_bytes(memory)[1] == 0
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


def test_nothing_changes_when_the_kernel_refuses(memory: np.ndarray) -> None:
    memory[:] = 7
    prctl = ctypes.CDLL(None).prctl
    assert prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) == 0
    try:
        use_large_pages()
    finally:
        prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)
    assert large_bytes(memory)[1] == 0
    assert np.all(memory == 7)


@pytest.mark.parametrize("name", [b"\xe9", b"a\x1c\x1cb", b"a\r\rb"], ids=repr)
def test_memory_is_in_large_pages_whatever_the_files_in_use_are_called(
    memory: np.ndarray, tmp_path: Path, name: bytes
) -> None:
    path = tmp_path / os.fsdecode(name)
    path.write_bytes(b"text")
    memory[:] = 7
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ):
        use_large_pages()
        assert large_bytes(memory)[1] >= SIZE - 2 * (2 << 20)


def test_nothing_happens_when_the_system_does_not_tell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_pages, "_SMAPS", tmp_path / "nothing")
    use_large_pages()
