"""What this device is called in an engine's key."""

from __future__ import annotations

import hashlib
import platform
from pathlib import Path

_BOARD = Path("/proc/device-tree/model")
_CPUINFO = Path("/proc/cpuinfo")


def cpu_name() -> str:
    """The processor, its board where there is a device tree (a Jetson), and its instruction sets."""
    return cpu_name_from_cpuinfo(platform.machine(), _content(_CPUINFO), _content(_BOARD).strip("\0\n "))


def cpu_name_from_cpuinfo(machine: str, cpuinfo: str, board: str = "") -> str:
    """As ``cpu_name``, of the text of ``/proc/cpuinfo``.

    Instruction sets count, since graphs are laid out for them, and virtual machines hide some of
    those that the model name promises; eight digits of a checksum stand for the long list.
    """
    facts: dict[str, str] = {}
    for line in cpuinfo.splitlines():
        field, _, value = line.partition(":")
        facts.setdefault(field.strip(), value.strip())
    model = facts.get("model name") or facts.get("CPU part", "")
    sets = sorted((facts.get("flags") or facts.get("Features") or "").split())
    digest = hashlib.sha256(" ".join(sets).encode()).hexdigest()[:8]
    return " ".join(word for word in (machine, board, model, f"sets:{digest}") if word)


def _content(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
