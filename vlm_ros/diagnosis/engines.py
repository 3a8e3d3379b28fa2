"""The engine store, the models that are here, and whether they fit.

What reads bundles and engines is imported by the checks themselves: NumPy or ONNX Runtime may be what is missing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from vlm_ros.core.errors import VlmRosError
from vlm_ros.core.places import shipped_bundles
from vlm_ros.diagnosis.finding import Finding, broken, doubtful, fine
from vlm_ros.diagnosis.machine import Machine
from vlm_ros.diagnosis.memory import available_bytes

_LITTLE_DISK_BYTES = 2e9
_COPIES = 3
"""While an engine is built, its weights are in memory as the file, as the graph, and as the engine."""

_CHECKED_BYTES = 1e9
"""Larger models are not read whole to look for their engines: that takes longer than a person waits."""


def check_store(machine: Machine, folder: Path | None = None) -> Finding:
    """Whether engines can be kept: the store is writable and its disk has room."""
    from vlm_ros.build.store import EngineStore, default_folder

    folder = folder or default_folder()
    entries = EngineStore(folder).entries()
    size = sum(manifest.total_bytes for _, manifest in entries)
    value = f"{len(entries)} engines, {size / 1e6:.0f} MB in {folder}"
    ground = next(path for path in (folder, *folder.parents) if path.exists())
    if not _is_writable(ground):
        return doubtful("engine store", f"{value}: read-only", "export XDG_CACHE_HOME=/a/folder/that/can/be/written")
    if shutil.disk_usage(ground).free < _LITTLE_DISK_BYTES:
        mend = f"make room on the disk of {ground}, or  export XDG_CACHE_HOME=/a/larger/disk"
        return doubtful("engine store", f"{value}: the disk is nearly full", mend)
    return fine("engine store", value)


def check_models(machine: Machine, bundles: dict[str, Path] | None = None) -> Finding:
    """The models that are here, and whether their engines are built."""
    bundles = shipped_bundles() if bundles is None else bundles
    if not bundles:
        return broken("models", "none", "git lfs pull, or  vlm_ros export CHECKPOINT --out engines/NAME")
    return fine("models", "; ".join(f"{name}: {_state_of(folder)}" for name, folder in bundles.items()))


def check_room(machine: Machine, bundles: dict[str, Path] | None = None) -> Finding:
    """Whether the largest part of any model can be built in the memory that is free."""
    parts = [
        (file.stat().st_size, f"{name}/{file.name}")
        for name, folder in (shipped_bundles() if bundles is None else bundles).items()
        for file in (folder / "onnx").glob("*.onnx*")
    ]
    if not parts:
        return fine("room for models", "no model")
    size, part = max(parts)
    needed, available = _COPIES * size, available_bytes(machine)
    value = f"{part} needs about {needed / 1e9:.1f} GB to build, {available / 1e9:.1f} GB are free"
    if available and needed > available:
        return doubtful(
            "room for models", value, "take a smaller precision (vlm_ros build --precision q4), or add swap"
        )
    return fine("room for models", value)


def _state_of(folder: Path) -> str:
    from vlm_ros.build.building import find_engines
    from vlm_ros.build.store import EngineStore
    from vlm_ros.core.bundle import Bundle

    try:
        if sum(file.stat().st_size for file in (folder / "onnx").glob("*")) > _CHECKED_BYTES:
            return f"large, see with  vlm_ros build {folder}"
        return f"{len(find_engines(Bundle(folder), EngineStore()))} engines built"
    except VlmRosError as error:
        return str(error)


def _is_writable(path: Path) -> bool:
    """Also asks the disk: to root everything looks writable."""
    return path.is_dir() and os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY


CHECKS = (check_store, check_models, check_room)
