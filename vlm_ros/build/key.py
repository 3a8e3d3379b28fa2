"""What an engine was made of and made for: where any of it differs, another engine is needed."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from vlm_ros.build.builder import EngineBuilder
from vlm_ros.build.external_data import external_files
from vlm_ros.core.checksum import sha256_of


@dataclass(frozen=True)
class EngineKey:
    """``source`` is the SHA-256 of the ONNX file and its external data.

    ``shapes`` is the profile the engine is tuned for, ``dynamic`` where it takes every shape;
    ``runtime`` the library with its version; ``device`` what the engine runs on, precisely enough
    that an engine made on one runs on every other of that name.
    """

    part: str
    source: str
    precision: str
    shapes: str
    runtime: str
    device: str

    @property
    def name(self) -> str:
        """Names the engine in a store: the part, for people, and 16 digits of a checksum over all fields."""
        content = json.dumps(dataclasses.asdict(self), sort_keys=True).encode()
        return f"{self.part}-{hashlib.sha256(content).hexdigest()[:16]}"


def key_from_onnx(part: str, onnx: Path, precision: str, builder: EngineBuilder) -> EngineKey:
    """The key of the engine that ``builder`` makes of ``onnx``; reads the file and its external data whole.

    Raises ``BadBundle`` where external data is missing or lies outside the folder of ``onnx``.
    """
    return EngineKey(part, source_of(onnx), precision, builder.shapes, builder.runtime, builder.device)


def source_of(onnx: Path) -> str:
    """The SHA-256 of ``onnx`` and its external data; ``BadBundle`` as ``key_from_onnx``."""
    digest = hashlib.sha256(sha256_of(onnx).encode())
    for path in external_files(onnx):
        digest.update(f"{path.relative_to(onnx.parent).as_posix()} {sha256_of(path)}".encode())
    return digest.hexdigest()
