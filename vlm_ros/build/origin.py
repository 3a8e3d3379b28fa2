"""Which fp32 graph a narrower one was made of: after a new export it must be made again.

``vlm_ros quantize`` leaves the checksum of its source in the file. Files that others made have no such mark,
and are taken as they are.
"""

from __future__ import annotations

import mmap
from pathlib import Path

from vlm_ros.build.known_sources import known_source_of
from vlm_ros.build.protobuf import fields
from vlm_ros.build.run_preflight import Graphs
from vlm_ros.core.bundle import Bundle
from vlm_ros.core.errors import BadBundle

MARK = "vlm_ros.source"
"""The key, among the metadata of an ONNX file, of the checksum of what it was made of."""

_METADATA, _KEY, _VALUE = 14, 1, 2
"""Field numbers of onnx.proto, which never change."""


def check_origin(bundle: Bundle, part: str, precision: str) -> None:
    """``BadBundle`` where ``part`` at ``precision`` was made of another fp32 graph than the bundle has now."""
    if is_stale(bundle, part, precision):
        raise BadBundle(
            f"'{bundle.onnx(part, precision)}' was made of an older '{bundle.onnx(part).name}': make it again with  "
            f"vlm_ros quantize {bundle.folder} --precision {precision}"
        )


def check_origins(bundle: Bundle, graphs: Graphs) -> None:
    """As ``check_origin``, of each part that is to be run, as the ONNX file or as an engine that was built of it."""
    for part, (_, precision) in graphs.items():
        check_origin(bundle, part, precision)


def is_stale(bundle: Bundle, part: str, precision: str) -> bool:
    """As ``check_origin``; reads the fp32 graph whole where there is a mark to compare it with, and once alone while
    nobody touches it."""
    if precision == "fp32":
        return False
    mark = mark_of(bundle.onnx(part, precision))
    try:
        return mark is not None and mark != known_source_of(bundle.onnx(part))
    except BadBundle:
        return False  # only the narrow file was copied here


def mark_of(onnx: Path) -> str | None:
    """The checksum of what ``onnx`` was made of, ``None`` where nobody left one; ``BadBundle`` for what is no ONNX."""
    try:
        with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return next(filter(None, (_mark(content, *place) for place in fields(content, 0, len(content)))), None)
    except (OSError, ValueError, IndexError) as error:
        raise BadBundle(f"'{onnx}' is not a whole ONNX file ({error}): export or copy it again") from error


def _mark(content: mmap.mmap, number: int, start: int, end: int) -> str | None:
    if number != _METADATA:
        return None
    entry = {inner: content[first:last] for inner, first, last in fields(content, start, end)}
    return entry.get(_VALUE, b"").decode() if entry.get(_KEY) == MARK.encode() else None
