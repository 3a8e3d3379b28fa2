"""Which files an ONNX graph keeps its weights in, read from the graph itself.

ONNX is a protocol buffer; a walk over its fields finds the references without the ``onnx`` package,
which a robot need not have. Field numbers are those of onnx.proto, which never change.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from vlm_ros.build.protobuf import fields
from vlm_ros.core.errors import BadBundle

_PARTS: dict[str, dict[int, str]] = {
    "model": {7: "graph", 25: "function"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse tensor", 23: "sparse tensor"},
    "sparse tensor": {1: "tensor", 2: "tensor"},
}
"""Which fields of a message hold messages that lead to tensors, and what those are."""

_ENTRY = 13
"""The field of a tensor that tells, entry by entry, where its external data lies."""


def external_files(onnx: Path) -> tuple[Path, ...]:
    """The files that hold weights of ``onnx``, sorted, all of them in its folder or below.

    Raises ``BadBundle`` where ``onnx`` is no ONNX file, and where a reference is missing or leads out.
    """
    try:
        locations = _locations(onnx)
    except (OSError, ValueError, IndexError) as error:
        raise BadBundle(f"'{onnx}' is not a whole ONNX file ({error}): export or copy it again") from error
    return tuple(_inside(onnx, location) for location in sorted(locations))


def total_bytes(onnx: Path) -> int:
    """The size of ``onnx`` with its external data."""
    return sum(path.stat().st_size for path in (onnx, *external_files(onnx)))


def _inside(onnx: Path, location: str) -> Path:
    relative = PurePosixPath(location)
    if not location or relative.is_absolute() or ".." in relative.parts:
        raise BadBundle(f"'{onnx}' keeps weights at '{location}', outside its own folder: refused; export it again")
    path = onnx.parent / relative
    if not path.is_file():
        raise BadBundle(f"'{onnx}' keeps weights in '{location}', which is missing beside it: copy that file too")
    return path


def _locations(onnx: Path) -> set[str]:
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        tensors = (external_entries(content, start, end) for start, end in tensors_of(content))
        return {entries["location"] for entries in tensors if "location" in entries}


def tensors_of(content: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Start and end of every tensor in the ONNX file ``content``; ``ValueError`` or ``IndexError`` as ``fields``."""
    return messages_of(content, "tensor")


def messages_of(content: mmap.mmap, wanted: str) -> Iterator[tuple[int, int]]:
    """Start and end of every ``tensor`` or ``node`` in ``content``, wherever it lies; errors as ``fields``."""
    waiting = [("model", 0, len(content))]
    while waiting:
        kind, start, end = waiting.pop()
        if kind == wanted:
            yield start, end
        if kind not in _PARTS:
            continue
        for number, inner_start, inner_end in fields(content, start, end):
            inner = _PARTS[kind].get(number)
            if inner is not None:
                waiting.append((inner, inner_start, inner_end))


def external_entries(content: mmap.mmap, start: int, end: int) -> dict[str, str]:
    """What a tensor says of the file that it lies in: ``location``, ``offset``, ``length``; empty where it has none."""
    entries = [place for number, *place in fields(content, start, end) if number == _ENTRY]
    return dict(_entry(content, *place) for place in entries)


def _entry(content: mmap.mmap, start: int, end: int) -> tuple[str, str]:
    entry = {number: content[first:last].decode() for number, first, last in fields(content, start, end)}
    return entry.get(1, ""), entry.get(2, "")
