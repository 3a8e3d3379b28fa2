"""Swap that lies on a disk: zram, which JetPack sets up, is memory that is counted once already."""

from __future__ import annotations

_SIZE, _USED = 2, 3


def disk_swap_bytes(swaps: str) -> tuple[int, int]:
    """How much swap on disks there is, and how much of it is free, from the text of ``/proc/swaps``."""
    rows = [line.split() for line in swaps.splitlines()[1:]]
    disks = [row for row in rows if len(row) > _USED and "zram" not in row[0]]
    size, used = (sum(int(row[place]) * 1024 for row in disks) for place in (_SIZE, _USED))
    return size, size - used
