"""A walk over the fields of a protocol buffer, for what is asked of ONNX files without the ``onnx`` package."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of every field between ``start`` and ``end`` that holds bytes.

    Raises ``ValueError`` or ``IndexError`` where there is no whole message.
    """
    while start < end:
        tag, start = _varint(content, start)
        wire_type = tag & 7
        if wire_type == _VARINT:
            _, start = _varint(content, start)
        elif wire_type == _BYTES:
            length, start = _varint(content, start)
            yield tag >> 3, start, start + length
            start += length
        elif wire_type in (_FIXED64, _FIXED32):
            start += 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {start}")
    if start != end:
        raise ValueError(f"a field ends at byte {start}, its message at byte {end}")


def _varint(content: mmap.mmap, start: int) -> tuple[int, int]:
    """The number that begins at ``start``, seven bits a byte, and where it ends."""
    value = shift = 0
    while shift < 64:
        byte = content[start]
        start += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, start
        shift += 7
    raise ValueError(f"an endless number at byte {start}")
