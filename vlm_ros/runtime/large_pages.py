"""Large pages under weights: decoding on a processor is reading memory, and Linux reads large pages faster.

Weights are read whole for every token. In pages of 4 KiB the processor keeps looking up where the next one lies.
What a piece of memory holds, and where, stays as it is: that is why others' memory may be moved too.
"""

from __future__ import annotations

import ctypes
import re
from dataclasses import dataclass
from pathlib import Path

_SMAPS = Path("/proc/self/smaps")
_SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")

_HUGEPAGE, _COLLAPSE = 14, 25
"""``MADV_HUGEPAGE`` lets the kernel use large pages, ``MADV_COLLAPSE`` (Linux 6.1) has it do so now."""

_PAGE_BYTES = 2 << 20
_LEAST_BYTES = 2 * _PAGE_BYTES
_FILLED = 0.9
"""What lies in memory to less than this share would take more of it in large pages."""

_HEAD = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ (\d+)\s")
"""What a mapping begins with: from where to where, how it may be used, and the inode of its file, 0 without one."""

_FIELD = re.compile(r"(Rss|AnonHugePages):\s+(\d+) kB")


@dataclass
class _Mapping:
    """A private writable piece of memory behind which there is no file; sizes in bytes."""

    start: int
    end: int
    present: int = 0
    large: int = 0

    @property
    def gains(self) -> bool:
        """Whether it is large, in use, and not in large pages yet."""
        size = self.end - self.start
        return size >= _LEAST_BYTES and self.present >= _FILLED * size and self.large < _FILLED * size


def use_large_pages() -> None:
    """Put this process's large pieces of memory, those in use, into large pages where the kernel can and may."""
    try:
        if "[never]" in _SETTING.read_text():
            return
        mappings = [mapping for mapping in _mappings() if mapping.gains]
    except OSError:  # another system, or a kernel without large pages
        return
    advise = ctypes.CDLL(None).madvise
    for mapping in mappings:
        start = -(-mapping.start // _PAGE_BYTES) * _PAGE_BYTES
        length = mapping.end // _PAGE_BYTES * _PAGE_BYTES - start
        for advice in (_HUGEPAGE, _COLLAPSE):  # a kernel that knows one of them not refuses it, and nothing is lost
            advise(ctypes.c_void_p(start), ctypes.c_size_t(length), advice)


def _mappings() -> list[_Mapping]:
    """The anonymous mappings that the kernel tells of in ``/proc/self/smaps``."""
    mappings: list[_Mapping] = []
    ours = False
    # A file's name may be no text, and may hold anything that ends a line but the newline itself.
    for line in _SMAPS.read_bytes().decode("ascii", "replace").split("\n"):
        if head := _HEAD.match(line):
            ours = head[3] == "rw-p" and head[4] == "0"
            mappings += [_Mapping(int(head[1], 16), int(head[2], 16))] if ours else []
        elif ours and (field := _FIELD.match(line)):
            setattr(mappings[-1], "present" if field[1] == "Rss" else "large", int(field[2]) * 1024)
    return mappings
