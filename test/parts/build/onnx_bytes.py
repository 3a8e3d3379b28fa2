"""ONNX files in a few bytes, written field by field as the protocol buffer encoding says."""

from __future__ import annotations


def field(number: int, content: bytes) -> bytes:
    """A field that holds ``content``."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def number(field_number: int, value: int) -> bytes:
    """A field that holds an integer."""
    return _varint(field_number << 3) + _varint(value)


def tensor(location: str) -> bytes:
    """A TensorProto whose data lie in ``location``."""
    entries = {b"location": location.encode(), b"offset": b"0", b"length": b"16"}
    external = b"".join(field(13, field(1, key) + field(2, value)) for key, value in entries.items())
    return number(1, 4) + number(2, 1) + field(8, b"weight") + external + number(14, 1)


def model(graph: bytes) -> bytes:
    """A ModelProto around the fields of a GraphProto."""
    return number(1, 8) + field(2, b"test") + field(7, graph)


def model_with_data(*locations: str) -> bytes:
    """A model with an initializer in each of ``locations``."""
    return model(b"".join(field(5, tensor(location)) for location in locations))


def _varint(value: int) -> bytes:
    content = bytearray()
    while value >= 0x80:
        content.append(value & 0x7F | 0x80)
        value >>= 7
    content.append(value)
    return bytes(content)
