"""A walk over the fields of a protocol buffer, for what is asked of ONNX files without the ``onnx`` package."""

from __future__ import annotations

import mmap
from collections.abc import Iterator

INPUT, OUTPUT, OPERATOR = 1, 2, 4
"""Fields of a node in onnx.proto: what it reads and makes, and its type."""

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, start and end of every field between ``start`` and ``end`` that holds bytes.

    Raises ``ValueError`` or ``IndexError`` where there is no whole message.
    """
    for number, wire_type, first, last in _all_fields(content, start, end):
        if wire_type == _BYTES:
            yield number, first, last


def places(content: mmap.mmap, within: tuple[int, int], *way: int) -> list[tuple[int, int]]:
    """Start and end of all that lies ``within`` at the end of the ``way``, a field at each step; as ``fields``."""
    ends = [within]
    for wanted in way:
        ends = [(first, last) for place in ends for number, first, last in fields(content, *place) if number == wanted]
    return ends


def texts(content: mmap.mmap, start: int, end: int, wanted: int) -> list[bytes]:
    """What the fields ``wanted`` between ``start`` and ``end`` hold; as ``fields``."""
    return [content[first:last] for first, last in places(content, (start, end), wanted)]


def integer(content: mmap.mmap, start: int, end: int, wanted: int) -> int:
    """The integer in the field ``wanted`` between ``start`` and ``end``, 0 where there is none; as ``fields``."""
    for number, wire_type, first, _ in _all_fields(content, start, end):
        if number == wanted and wire_type == _VARINT:
            return _varint(content, first)[0]
    return 0


def _all_fields(content: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Number, wire type, and start and end of what is in it, of every field between ``start`` and ``end``."""
    while start < end:
        tag, start = _varint(content, start)
        wire_type = tag & 7
        first = start
        if wire_type == _VARINT:
            _, start = _varint(content, start)
        elif wire_type == _BYTES:
            length, first = _varint(content, start)
            start = first + length
        elif wire_type in (_FIXED64, _FIXED32):
            start += 8 if wire_type == _FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire_type} at byte {start}")
        yield tag >> 3, wire_type, first, start
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
