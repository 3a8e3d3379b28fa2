"""The state of the machine while it was measured: figures without it mean little."""

from __future__ import annotations

import importlib.metadata as metadata
import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil

_LIBRARIES = ("onnxruntime", "numpy", "torch", "transformers", "tokenizers", "llguidance")


def machine_state(threads: int, bandwidth_gbps: float) -> dict[str, Any]:
    """Processor, cores, load, memory, and the versions of what is measured."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": threads,
        "load": round(os.getloadavg()[0], 2),
        "free_gb": round(psutil.virtual_memory().available / 1e9, 1),
        "bandwidth_gbps": round(bandwidth_gbps, 2),
        "system": platform.platform(),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _LIBRARIES}},
    }


def _processor() -> str:
    found = re.search(r"^model name\s*:\s*(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found.group(1) if found else platform.machine()


def _version(library: str) -> str:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""
