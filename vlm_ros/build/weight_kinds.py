"""How many bytes of an ONNX file's weights are of which kind, read from the graph without the ``onnx`` package."""

from __future__ import annotations

import mmap
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.external_data import external_entries, external_files, tensors_of
from vlm_ros.build.protobuf import integer

_DATA_TYPE = 2
"""A field number of onnx.proto, which never changes; nor do the types below."""

_HALF = (10, 16)
"""FLOAT16 and BFLOAT16."""

_WIDE = (1, 6, 7, 11, 12, 13)
"""Floats and integers of 4 and 8 bytes; other types than these and ``_HALF`` are narrow."""


@dataclass(frozen=True)
class ByKind:
    """A number for each kind of weight: 4 bytes wide or more, fp16, and narrower, as INT8 and INT4."""

    wide: float
    half: float
    narrow: float

    def times(self, other: ByKind) -> float:
        """The sum of the products, kind by kind."""
        return self.wide * other.wide + self.half * other.half + self.narrow * other.narrow


def weights_inside(onnx: Path) -> ByKind:
    """The bytes of the file itself by kind; what is no weight counts as wide. ``BadBundle`` as ``external_files``."""
    external_files(onnx)
    return _by_kind(onnx, onnx.stat().st_size, external=False)


def weights_beside(onnx: Path) -> ByKind:
    """The bytes of its external data by kind; ``BadBundle`` as ``external_files``."""
    return _by_kind(onnx, sum(path.stat().st_size for path in external_files(onnx)), external=True)


def _by_kind(onnx: Path, total_bytes: int, *, external: bool) -> ByKind:
    half = narrow = 0
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start, end in tensors_of(content):
            entries = external_entries(content, start, end)
            kind = integer(content, start, end, _DATA_TYPE)
            if external != bool(entries) or kind in _WIDE:
                continue
            size = int(entries.get("length", 0)) if external else end - start
            half, narrow = (half + size, narrow) if kind in _HALF else (half, narrow + size)
    return ByKind(total_bytes - half - narrow, half, narrow)
