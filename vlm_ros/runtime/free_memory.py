"""How much memory this process may still take.

On a Jetson processor and GPU share one memory, so that what is available to the one is what both have.
"""

from __future__ import annotations

from pathlib import Path

from vlm_ros.core.swap import disk_swap_bytes
from vlm_ros.runtime.gpu_memory import free_gpu_bytes

SKIP_VARIABLE = "VLM_ROS_SKIP_MEMORY_CHECK"
"""Set to 1 in the environment, nothing is refused."""

_MEMINFO = Path("/proc/meminfo")
_SWAPS = Path("/proc/swaps")
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(
    meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP, swaps: Path = _SWAPS, *, gpu: bool = False
) -> int | None:
    """What this process may still take: memory, and swap on disks, less where its container allows less.

    For what a ``gpu`` computes no swap counts, since what it reaches stays in memory. One with a memory of its own
    needs room there as well, and weights pass through the machine's: the smaller of the two counts.
    """
    fields = dict(line.split(":", 1) for line in _text(meminfo).splitlines() if ":" in line)
    if "MemAvailable" not in fields:
        return None
    memory_bytes, swap_bytes = (
        int(fields.get(name, "0 kB").split()[0]) * 1024 for name in ("MemAvailable", "SwapFree")
    )
    bounds = [memory_bytes + (0 if gpu else min(swap_bytes, disk_swap_bytes(_text(swaps))[1]))]
    limit, used = _text(cgroup / "memory.max").strip(), _text(cgroup / "memory.current").strip()
    if limit.isdigit() and used.isdigit():
        bounds.append(int(limit) - int(used))
    gpu_bytes = free_gpu_bytes() if gpu else None
    return min(bounds if gpu_bytes is None else [*bounds, gpu_bytes])


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""
