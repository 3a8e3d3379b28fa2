"""How many bytes of an ONNX file's weights are of which kind, read from the graph without the ``onnx`` package."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
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

_KINDS = ("wide", "half", "narrow")


@dataclass(frozen=True)
class ByKind:
    """A number for each kind of weight: 4 bytes wide or more, fp16, and narrower, as INT8 and INT4."""

    wide: float
    half: float
    narrow: float

    def times(self, other: ByKind) -> float:
        """The sum of the products, kind by kind."""
        return self.wide * other.wide + self.half * other.half + self.narrow * other.narrow


def weights_of(onnx: Path) -> tuple[ByKind, ByKind]:
    """The bytes of the file itself, and those of its external data, by kind; what is no weight counts as wide.

    ``BadBundle`` as ``external_files``.
    """
    beside_bytes = sum(path.stat().st_size for path in external_files(onnx))
    inside, beside = dict.fromkeys(_KINDS, 0), dict.fromkeys(_KINDS, 0)
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for start, end in tensors_of(content):
            entries = external_entries(content, start, end)
            kind = _kind(integer(content, start, end, _DATA_TYPE))
            if entries:
                beside[kind] += int(entries.get("length", 0))
            else:
                inside[kind] += end - start
    return _by_kind(onnx.stat().st_size, inside), _by_kind(beside_bytes, beside)


def _kind(data_type: int) -> str:
    return "wide" if data_type in _WIDE else "half" if data_type in _HALF else "narrow"


def _by_kind(total_bytes: int, counted: Mapping[str, int]) -> ByKind:
    half, narrow = counted["half"], counted["narrow"]
    return ByKind(total_bytes - half - narrow, half, narrow)
