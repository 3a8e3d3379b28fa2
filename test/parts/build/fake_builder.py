"""A builder whose engines are its ONNX files backwards."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vlm_ros.build.builder import UNWATCHED, Watch
from vlm_ros.core.clock import ManualClock


@dataclass
class FakeBuilder:
    """Remembers what it built; each byte takes a second of ``clock``."""

    runtime: str = "fakeruntime 1.0"
    device: str = "fake device"
    shapes: str = "dynamic"
    batch: int = 1
    portable: str = "no"
    clock: ManualClock = field(default_factory=ManualClock)
    built: list[str] = field(default_factory=list)

    def build(self, onnx: Path, engine: Path, watch: Watch = UNWATCHED) -> None:
        self.built.append(onnx.name)
        self.clock.advance(onnx.stat().st_size)
        engine.write_bytes(onnx.read_bytes()[::-1])
