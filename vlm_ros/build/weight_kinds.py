"""How many bytes of an ONNX file's weights are of which kind, read from the graph without the ``onnx`` package."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.external_data import external_entries, external_files, messages_of, tensors_of
from vlm_ros.build.protobuf import INPUT, OPERATOR, OUTPUT, integer, texts

_DATA_TYPE = 2
"""A field number of onnx.proto, which never changes; nor do the types below."""

_HALF = (10, 16)
"""FLOAT16 and BFLOAT16."""

_WIDE = (1, 6, 7, 11, 12, 13)
"""Floats and integers of 4 and 8 bytes; other types than these and ``_HALF`` are narrow."""

_KINDS = ("wide", "half", "narrow", "unpacked")

_NAME = 8
"""The field of a tensor that names it."""


@dataclass(frozen=True)
class ByKind:
    """A number for each kind of weight: 4 bytes wide or more, fp16, and narrower, as INT8 and INT4.

    Narrow ones are multiplied, or looked up, as they are; ``unpacked`` ones are made wide first, or laid out anew,
    since what they are multiplied with is wide.
    """

    wide: float
    half: float
    narrow: float
    unpacked: float

    def times(self, other: ByKind) -> float:
        """The sum of the products, kind by kind."""
        return (
            self.wide * other.wide
            + self.half * other.half
            + self.narrow * other.narrow
            + self.unpacked * other.unpacked
        )


def weights_of(onnx: Path) -> tuple[ByKind, ByKind]:
    """The bytes of the file itself, and those of its external data, by kind; what is no weight counts as wide.

    ``BadBundle`` as ``external_files``.
    """
    beside_bytes = sum(path.stat().st_size for path in external_files(onnx))
    inside, beside = dict.fromkeys(_KINDS, 0), dict.fromkeys(_KINDS, 0)
    with onnx.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        unpacked = _unpacked(content)
        for start, end in tensors_of(content):
            entries = external_entries(content, start, end)
            kind = _kind(integer(content, start, end, _DATA_TYPE))
            if kind == "narrow" and unpacked.intersection(texts(content, start, end, _NAME)):
                kind = "unpacked"
            if entries:
                beside[kind] += int(entries.get("length", 0))
            else:
                inside[kind] += end - start
    return _by_kind(onnx.stat().st_size, inside), _by_kind(beside_bytes, beside)


def _unpacked(content: mmap.mmap) -> set[bytes]:
    """The names of what DequantizeLinear widens for a node that reads nothing else of its kind.

    A product of two such results is one of integers, which reads both as they are.
    """
    nodes = [
        [texts(content, *place, field) for field in (OPERATOR, INPUT, OUTPUT)] for place in messages_of(content, "node")
    ]
    widening = [(read[0], results) for operator, read, results in nodes if operator == [b"DequantizeLinear"] and read]
    narrow = {made: source for source, results in widening for made in results}
    read_by_node = ([narrow[name] for name in read if name in narrow] for _, read, _ in nodes)
    return {sources[0] for sources in read_by_node if len(sources) == 1}


def _kind(data_type: int) -> str:
    return "wide" if data_type in _WIDE else "half" if data_type in _HALF else "narrow"


def _by_kind(total_bytes: int, counted: Mapping[str, int]) -> ByKind:
    told = {kind: counted[kind] for kind in _KINDS[1:]}
    return ByKind(wide=total_bytes - sum(told.values()), **told)
