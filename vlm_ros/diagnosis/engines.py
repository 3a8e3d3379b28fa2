"""The engine store, the models that are here, and whether they fit.

What reads bundles and engines is imported by the checks themselves: NumPy or ONNX Runtime may be what is missing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from vlm_ros.core.errors import VlmRosError
from vlm_ros.core.places import engine_folder, shipped_bundles
from vlm_ros.diagnosis.finding import Finding, broken, doubtful, fine
from vlm_ros.diagnosis.machine import Machine

_LITTLE_DISK_BYTES = 2e9
_GB = 1e9
_CHECKED_BYTES = 1e9
"""Larger models are not read whole to look for their engines: that takes longer than a person waits."""


def check_store(machine: Machine, folder: Path | None = None) -> Finding:
    """Whether engines can be kept: the store is writable and its disk has room."""
    from vlm_ros.build.needs import usable
    from vlm_ros.build.store import EngineStore
    from vlm_ros.build.vendors import devices_here

    folder = folder or engine_folder()
    entries = EngineStore(folder).entries()
    size = sum(manifest.total_bytes for _, manifest in entries)
    value = f"{len(entries)} engines, {size / 1e6:.0f} MB in {folder}"
    ground = next(path for path in (folder, *folder.parents) if path.exists())
    if not _is_writable(ground):
        return doubtful("engine store", f"{value}: read-only", "export XDG_CACHE_HOME=/a/folder/that/can/be/written")
    if shutil.disk_usage(ground).free < _LITTLE_DISK_BYTES:
        mend = f"make room on the disk of {ground}, or  export XDG_CACHE_HOME=/a/larger/disk"
        return doubtful("engine store", f"{value}: the disk is nearly full", mend)
    devices = devices_here()
    stale = [manifest for _, manifest in entries if not usable(manifest, devices)]
    if stale:
        others = ", ".join(sorted({f"{manifest.key.runtime} on {manifest.key.device}" for manifest in stale}))
        mend = "vlm_ros engines prune  # then  vlm_ros build"
        return doubtful("engine store", f"{value}; {len(stale)} are stale, made for {others}", mend)
    return fine("engine store", value)


def check_models(machine: Machine, bundles: dict[str, Path] | None = None) -> Finding:
    """The models that are here, and whether their engines are built."""
    bundles = shipped_bundles() if bundles is None else bundles
    if not bundles:
        return broken("models", "none", "git lfs pull, or  vlm_ros export CHECKPOINT --out engines/NAME")
    return fine("models", "; ".join(f"{name}: {_state_of(folder)}" for name, folder in bundles.items()))


def check_room(machine: Machine, bundles: dict[str, Path] | None = None) -> Finding:
    """Whether every model can be built and run in the memory that is free; where not, at which precision it can."""
    from vlm_ros.build.preflight import available_bytes

    free = available_bytes(*map(machine.path, ("/proc/meminfo", "/sys/fs/cgroup", "/proc/swaps")))
    needs = {folder: _needed_bytes(folder) for folder in (shipped_bundles() if bundles is None else bundles).values()}
    if free is None or not any(needs.values()):
        return fine("room for models", "how much memory is free is not known" if any(needs.values()) else "no model")
    tight = [folder for folder, sizes in needs.items() if sizes and next(iter(sizes.values())) > free]
    folder = tight[0] if tight else max(needs, key=lambda folder: max(needs[folder].values(), default=0))
    precision, size = next(iter(needs[folder].items()))
    value = f"{folder.name} at {precision} needs about {size / _GB:.2f} GB, {free / _GB:.2f} GB are free"
    if not tight:
        return fine("room for models", value)
    fitting = next((name for name, size in needs[folder].items() if size <= free), "")
    if fitting:
        mend = f"vlm_ros build {folder} --precision {fitting}  # and precision:={fitting} for the launch file"
    else:
        mend = f"vlm_ros quantize {folder} --precision q4  # then precision:=q4; or add swap, or end other programs"
    return doubtful("room for models", f"{value}: it does not fit", mend)


def _needed_bytes(folder: Path) -> dict[str, int]:
    """By precision that all parts of a model have: what building or running it takes, whichever is more."""
    from vlm_ros.build.preflight import BuildMemory
    from vlm_ros.build.run_preflight import run_peak_bytes
    from vlm_ros.core.bundle import PRECISIONS, Bundle

    bundle, sizes = Bundle(folder), {}
    for precision in PRECISIONS:
        with contextlib.suppress(VlmRosError, OSError):
            graphs = {part: (bundle.onnx(part, precision), precision) for part in bundle.parts}
            builds = [BuildMemory(path).peak_bytes for path, _ in graphs.values()]
            if graphs:
                sizes[precision] = max(run_peak_bytes(bundle, graphs), *builds)
    return sizes


def _state_of(folder: Path) -> str:
    from vlm_ros.build.building import find_engines
    from vlm_ros.build.store import EngineStore
    from vlm_ros.core.bundle import Bundle

    try:
        if sum(file.stat().st_size for file in (folder / "onnx").glob("*") if file.is_file()) > _CHECKED_BYTES:
            return f"large, see with  vlm_ros build {folder}"
        return f"{len(find_engines(Bundle(folder), EngineStore()))} engines built"
    except VlmRosError as error:
        return str(error)


def _is_writable(path: Path) -> bool:
    """Also asks the disk: to root everything looks writable."""
    return path.is_dir() and os.access(path, os.W_OK) and not os.statvfs(path).f_flag & os.ST_RDONLY


CHECKS = (check_store, check_models, check_room)
