"""Checksums of graphs that nobody touched since they were read whole, which takes seconds for a large model.

``sources.json`` among the engines has them by path. A file is taken for the one that was read while its device, inode,
size and times are what they were. One of the times, that of the last change of any kind, the system alone sets: what is
written in its place or put back to an older date is read again. So is what changed shortly before it was read, since
somebody may still have been writing.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from vlm_ros.build.external_data import external_files
from vlm_ros.build.key import source_of
from vlm_ros.core.json_file import replace_json
from vlm_ros.core.places import engine_folder

SOURCES = "sources.json"

SETTLED_S = 60.0
"""What a program writes to a file through a map may show in the file's times only so much later."""


def known_source_of(onnx: Path) -> str:
    """As ``key.source_of``, read only where nobody knows; what cannot be kept is read again next time."""
    files, began_s = (onnx, *external_files(onnx)), time.time()
    path, stamps, known = str(onnx.resolve()), _stamps(files), _kept()
    entry = known.get(path)
    if isinstance(entry, dict) and entry.get("stamps") == stamps and isinstance(entry.get("source"), str):
        return str(entry["source"])
    source = source_of(onnx)
    changed_s = max(max(stamp[-2:]) for stamp in stamps) / 1e9
    if changed_s < began_s - SETTLED_S:
        _keep({**known, path: {"stamps": stamps, "source": source}})
    return source


def _stamps(files: Sequence[Path]) -> list[list[int]]:
    """What tells each of ``files`` from every other and from itself at another time; times come last."""
    stats = [file.stat() for file in files]
    return [[one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns, one.st_ctime_ns] for one in stats]


def _kept() -> dict[str, Any]:
    """What is known, by path; nothing where that cannot be read."""
    try:
        known = json.loads((engine_folder() / SOURCES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):  # nobody's home among them
        return {}
    return known if isinstance(known, dict) else {}


def _keep(known: dict[str, Any]) -> None:
    """Of ``known``, what is still there."""
    with contextlib.suppress(OSError, RuntimeError):
        folder = engine_folder()
        folder.mkdir(parents=True, exist_ok=True)
        replace_json(folder / SOURCES, {path: entry for path, entry in known.items() if Path(path).is_file()})
