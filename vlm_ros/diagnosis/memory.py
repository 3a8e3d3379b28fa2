"""Memory, swap and shared memory."""

from __future__ import annotations

import os
import re

from vlm_ros.core.swap import disk_swap_bytes
from vlm_ros.diagnosis.finding import Finding, doubtful, fine
from vlm_ros.diagnosis.machine import Machine

_GB = 1e9
_LITTLE_BYTES = 1.0 * _GB
_SMALL_BOARD_BYTES = 12 * _GB
_SWAP_BYTES = 4 * _GB
_MAKE_SWAP = (
    "sudo fallocate -l 8G /swapfile && sudo chmod 600 /swapfile && sudo mkswap /swapfile && sudo swapon /swapfile"
)
_PICTURES_BYTES = 48e6
"""The shared-memory segment of our Fast DDS profile takes 34 MB in each process that publishes pictures."""


def available_bytes(machine: Machine) -> int:
    """Memory that a new process can have, without swap; 0 where the machine does not tell."""
    return _meminfo(machine).get("MemAvailable", 0)


def check_memory(machine: Machine) -> Finding:
    """Memory, and how much of it is free."""
    total, available = _meminfo(machine).get("MemTotal", 0), available_bytes(machine)
    value = f"{available / _GB:.1f} of {total / _GB:.1f} GB free"
    if total and available < _LITTLE_BYTES:
        return doubtful(
            "memory", value, "sudo systemctl isolate multi-user.target  # stops the desktop; or end other programs"
        )
    return fine("memory", value)


def check_swap(machine: Machine) -> Finding:
    """Swap on a disk: a small board that builds engines without it reboots."""
    memory = _meminfo(machine)
    disk, _ = disk_swap_bytes(machine.text("/proc/swaps"))
    value = f"{memory.get('SwapTotal', 0) / _GB:.1f} GB, {disk / _GB:.1f} GB of it on a disk"
    if machine.is_jetson and memory.get("MemTotal", 0) < _SMALL_BOARD_BYTES and disk < _SWAP_BYTES:
        return doubtful("swap", value, _MAKE_SWAP)
    return fine("swap", value)


def check_shared_memory(machine: Machine) -> Finding:
    """Room in ``/dev/shm``, through which whole pictures go from process to process."""
    try:
        disk = os.statvfs(machine.path("/dev/shm"))
    except OSError:
        return doubtful("shared memory", "no /dev/shm", "start the container with  --ipc=host")
    free = disk.f_bavail * disk.f_frsize
    value = f"{free / 1e6:.0f} MB free"
    if free < _PICTURES_BYTES:
        advice = (
            "rm /dev/shm/fastdds_* (left by killed nodes, while none runs); a container:  docker run --shm-size=512m"
        )
        return doubtful("shared memory", value, advice)
    return fine("shared memory", value)


def _meminfo(machine: Machine) -> dict[str, int]:
    """The fields of ``/proc/meminfo`` in bytes."""
    rows = re.findall(r"^(\w+):\s+(\d+) kB", machine.text("/proc/meminfo"), re.MULTILINE)
    return {name: int(kilobytes) * 1024 for name, kilobytes in rows}


CHECKS = (check_memory, check_swap, check_shared_memory)
